package gitlab

import (
	"testing"

	"verdict/forge/forgetest"
)

func TestConformance(t *testing.T) { forgetest.Run(t, forgetest.GitLab, New) }

func FuzzAnswers(f *testing.F) { forgetest.Garble(f, forgetest.GitLab, New) }
