# VE-12, VE-4: reception: 08:45, a failed disk, the approver in a meeting. Urgent receipt: approved by phone, confirmed until
# the next open day's closing; a substitute worker by the owning section; standing permits for cleaning.
start 2026-11-20 08:45
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
person tanaka category=contractor company=ACME contract_until=2027-03-31
person ueda category=contractor company=ACME contract_until=2027-03-31
contract K-1 person=tanaka company=ACME from=2026-04-01 until=2027-03-31
contract K-2 person=ueda company=ACME from=2026-04-01 until=2027-03-31 tier=2 approval=J-88
closed 2026-11-23 name=勤労感謝の日
card c-1 person=sato
stock B-1
stock B-2
stock P-1
grant sato zone=room

apply refused-1 zone=room from=08:45 until=12:00 attendee=sato contract=K-1 workers=ueda phone=abe
expect refused unnamed_worker                # ueda is not in this contract
apply disk zone=room from=08:45 until=12:00 attendee=sato contract=K-1 workers=tanaka phone=abe
expect matter disk approved
expect owed oral_unconfirmed 1
substitute disk tanaka ueda by=abe           # another worker comes
receive disk tanaka B-1
expect refused wrong_state
receive disk ueda B-1
badge front B-1
expect granted
open front
close front
badge front B-1 exit
open front
close front
wait 2s
take-back B-1
expect matter disk closed
at 2026-11-24 17:14                          # a Friday; Monday is a holiday; Tuesday is the next open day
expect finding oral_unconfirmed 0
at 2026-11-24 17:17
expect finding oral_unconfirmed 1
confirm disk by=reception                    # who recorded it does not confirm it
expect refused same_person
confirm disk by=abe
expect owed oral_unconfirmed 0

permit cleaning zone=room from=18:00 until=19:00 attendee=sato contract=K-1 workers=tanaka type=cleaning by=sato
come cleaning clean-0                        # not granted yet
expect refused wrong_state
approve cleaning by=abe
come cleaning clean-0
expect refused too_early
at 2026-11-25 17:50
come cleaning clean-1
receive clean-1 tanaka B-2
badge front B-2
expect granted
open front
close front
at 2026-11-25 19:01                          # the window is over
badge front B-2
expect denied
badge front B-2 exit
expect granted
open front
close front
wait 2s
take-back B-2
expect matter clean-1 closed

apply other zone=room from=2026-11-26/09:00 until=2026-11-26/10:00 attendee=sato visitors=Ito phone=abe type=meeting
at 2026-11-26 09:00
receive other Ito P-1
badge front P-1
expect granted
wait 10s
disown other by=abe                          # "I never said so"
expect finding oral_denied 1
badge front P-1
expect denied
