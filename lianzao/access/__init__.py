"""Who may enter, and what he may do: people, roles, sites, terminals, partner logins, sessions and API tokens.

Nouns: site, person, role (rights as data), assignment (person, role, site), station (a terminal), token, session.
Neighbours: every room stands on it. foundation asks it who acts (`queries.actor_of`); parties and work centers are
plain ids here, because they live on higher floors. Rights are strings: `<room>.view_<entity>`, `<room>.<command>`,
`sales.*`, `*.view_*`, `*`.
"""
