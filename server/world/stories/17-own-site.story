# A folder of CSV files, as the import reads it, is the site: here the sample of the demo.
site ../../directory/sample
start 2026-11-24 10:00

badge server-room-1 1001
expect pin
pin server-room-1 2468
expect granted by=server
badge server-room-1 C-008 pin=7418
expect denied reason=credential_suspended
