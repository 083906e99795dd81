"""Give a customer one owner by rules that anyone can read. Pure, but for `gateway`."""
