"""The way in: HTTP requests of unmodified clients become records in `lead-events`.

Nothing is answered 200 before the broker has acknowledged every record of it (interfaces,
"HTTP: collector"). Begin reading at `asgi`: it dispatches; `body` reads a request, `batches` and
`events` turn it into records, `event_log` appends them, `links` are the three addresses in mails.
"""
