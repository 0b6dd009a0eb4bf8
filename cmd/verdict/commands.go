package main

import "github.com/spf13/cobra"

// The table's order is that of a change on its way, and help keeps it.
func init() { cobra.EnableCommandSorting = false }

// commands is every command of Verdict, in the order of the reference. To add one, write
// a function that gives its entry in a file of its own, and name it here.
func commands() []command {
	return []command{
		initCommand(),
		ciCommand(),
		planCommand(),
		attestCommand(),
		sbomCommand(),
		vexCommand(),
		verifyCommand(),
		artifactCommand(),
		gateCommand(),
		approveCommand(),
		rejectCommand(),
		exceptionCommand(),
		breakGlassCommand(),
		admissionCommand(),
		environmentsCommand(),
		diffCommand(),
		whereCommand(),
		findingsCommand(),
		whyCommand(),
		trailCommand(),
		logCommand(),
		syncCommand(),
		loginCommand(),
		logoutCommand(),
		storeCommand(),
		mapCommand(),
		policyCommand(),
		advisoriesCommand(),
		peopleCommand(),
		keysCommand(),
		configCommand(),
		serveCommand(),
		rolesCommand(),
		tokensCommand(),
		sessionsCommand(),
		versionCommand(),
		completionCommand(),
		referenceCommand(),
	}
}

const rootHelp = `Verdict takes security decisions where the reference architecture puts them, keeps the evidence for each, and explains any of them later, from the commit to the running workload.

What is unknown is never reported as fine: a command that could not decide ends with exit code 1.`
