"""Many processes on one table, in simulated time, by the rules and with the constants of the library's own sources."""
