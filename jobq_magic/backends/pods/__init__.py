"""Runs whose processes are pods: what the places on a Kubernetes cluster have in common.

integration  what stands for a run on the cluster, a Job or a RayJob: all in which the places differ
backend      the Backend that the places are made from
making       the objects of a run, made once
watched      what is known of them, run by run
elsewhere    the same where MultiKueue has the pods on another cluster
following    one run, followed
attempts     which attempt a pod belongs to, and whose output it is
reading      the log of one pod
stored       what pods have kept in a store
claimed      the same on a claim
course       how a run goes, from all that is known: a pure function
missed       attempts that nobody saw
refusing     a cluster that does not tell us of the run any more
silence      one that says nothing
wanting      pause and resume
wishes       what people want of runs
lookup       what the cluster has of a run at this moment
"""
