"""All that speaks to a Docker Engine, through Docker's own library, which is imported when it is used."""
