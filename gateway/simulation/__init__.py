"""The whole gateway in virtual time: several nodes, several payers with weather, a real database, and one seed for all that happens."""
