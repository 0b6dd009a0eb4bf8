// Command kube-apiserver is the API server of Kubernetes, built from its own module, so that the
// tests of admission speak with the program that calls a webhook in every cluster.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
