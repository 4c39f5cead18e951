# DS-10, DS-3: staff: leaving by the inside handle. The profile declares how an exit is sensed: reader, button, handle, nothing.
# With nothing and somebody inside an opening without a badge is low; with nobody inside it is forced. Leaving is never blocked.
zone by-reader level=1
zone by-button level=1
zone by-handle level=1
zone by-nothing level=1
gateway gw-1
door d-reader gateway=gw-1 zone=by-reader exit=reader
door d-button gateway=gw-1 zone=by-button exit=button
door d-handle gateway=gw-1 zone=by-handle exit=handle
door d-none gateway=gw-1 zone=by-nothing exit=none
person sato
card c-1 person=sato
grant sato zone=by-reader
grant sato zone=by-button
grant sato zone=by-handle
grant sato zone=by-nothing

badge d-reader sato
open d-reader
close d-reader
badge d-reader sato exit
expect granted
open d-reader
close d-reader
wait 2s
expect line side=exit passage=exit person=sato
expect inside by-reader 0
badge d-button sato
open d-button
close d-button
wait 6s
mark
push d-button                                # the button releases the lock by its own wires
expect unlocks d-button 0
open d-button
close d-button
wait 2s
expect finding exit_unattributed 1
badge d-handle sato
open d-handle
close d-handle
wait 6s
mark
push d-handle
open d-handle
close d-handle
expect unlocks d-handle 0                    # the handle is mechanics
wait 2s
expect finding exit_unattributed 2
badge d-none sato
open d-none
close d-none
wait 10s
open d-none                                  # somebody is inside: probably opened from inside
close d-none
wait 2s
expect finding inside_open 1
expect finding forced_open 0
wait 10s
open d-none                                  # and now nobody is
close d-none
wait 2s
expect finding inside_open 1
expect finding forced_open 1
