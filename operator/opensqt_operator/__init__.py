"""The operator: watches GridBots and ExchangeConnectors, keeps their Pods and Deployments, and writes their status."""
