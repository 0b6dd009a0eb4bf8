package github

import (
	"testing"

	"verdict/forge/forgetest"
)

func TestConformance(t *testing.T) { forgetest.Run(t, forgetest.GitHub, New) }

func FuzzAnswers(f *testing.F) { forgetest.Garble(f, forgetest.GitHub, New) }
