"""Flow control: who may start now, who waits, who is dropped, and why."""
