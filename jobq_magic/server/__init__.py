"""The run store over HTTP, below Jupyter's own login: what the sidebar and other programs speak to.

`routes.ROUTES` is the one table of what can be asked; handlers, the OpenAPI document and the reference in the docs are
made from it. Nothing here unpickles, fetches an address that a user gave, or speaks to a place except by what
`commands` and its neighbours offer.
"""
