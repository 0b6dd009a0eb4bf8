package evidence

// ownerOnly: Windows has access lists instead, and Go makes a mode up.
const ownerOnly = false
