package flagstore_test

import "fmt"

func bystander() { fmt.Print("fine") }
