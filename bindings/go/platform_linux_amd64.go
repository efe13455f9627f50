package flagstore

const (
	architecture = "amd64"
	memfdCreate  = 319
)
