from opensqt_operator.main import main

main()
