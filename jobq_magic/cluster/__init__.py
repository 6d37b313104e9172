"""All that speaks to Kubernetes, through its own library, which is imported when it is used."""
