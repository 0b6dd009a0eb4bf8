package main

func storeCommand() command {
	return command{
		use: "store", short: "Save and restore what the ledger is kept in",
		sub: []command{storeBackupCommand(), storeRestoreCommand()},
	}
}
