"""What `dripline up` brings along: a broker and a mail catcher, both in memory."""
