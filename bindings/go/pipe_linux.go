package flagstore

import "syscall"

func pipe() (reader, writer int, err error) {
	var ends [2]int
	err = syscall.Pipe2(ends[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK)
	return ends[0], ends[1], err
}
