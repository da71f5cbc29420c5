"""How an alert reaches people: webhook, e-mail, command. Knows no database and no workflow."""
