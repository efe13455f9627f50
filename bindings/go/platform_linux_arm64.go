package flagstore

const (
	architecture = "arm64"
	memfdCreate  = 279
)
