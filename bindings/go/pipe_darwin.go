package flagstore

import "syscall"

func pipe() (reader, writer int, err error) {
	// No program is started between the pipe and its being closed to programs.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		return 0, 0, err
	}
	for _, end := range ends {
		syscall.CloseOnExec(end)
		if err := syscall.SetNonblock(end, true); err != nil {
			return 0, 0, err
		}
	}
	return ends[0], ends[1], nil
}
