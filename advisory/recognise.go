package advisory

// Recognise looks what Import would take src for, and under which name it would keep it.
// It reads the beginning of the file only; whether the rest holds is Import's to say.
func Recognise(src string) (name string, f Family, err error) {
	in, err := openSource(src)
	if err != nil {
		return "", "", err
	}
	return nameOf(src, in.family), in.family, in.close()
}
