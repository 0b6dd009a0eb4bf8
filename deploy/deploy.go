// Package deploy is the fourth layer: may this trusted artifact, or this plan, go into this
// environment now? What a decision point there sees is gathered by package decide, and what
// follows from it is for the rules to say. Here is what is the layer's own: who asks, and what
// a promotion states to the world.
package deploy
