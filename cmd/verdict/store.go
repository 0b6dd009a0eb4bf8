package main

func storeCommand() command {
	return command{
		use: "store", short: "Save, restore and move what the ledger is kept in",
		sub: []command{storeBackupCommand(), storeRestoreCommand(), storeMigrateCommand()},
	}
}
