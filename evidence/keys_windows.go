package evidence

// ownerOnly: Windows has access lists instead, and Go makes a mode up.
const ownerOnly = false

// syncFolder does nothing: Windows syncs files and no folders.
func syncFolder(string) error { return nil }
