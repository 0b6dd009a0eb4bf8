package azure

import (
	"testing"

	"verdict/forge/forgetest"
)

func TestConformance(t *testing.T) { forgetest.Run(t, forgetest.Azure, New) }

func FuzzAnswers(f *testing.F) { forgetest.Garble(f, forgetest.Azure, New) }
