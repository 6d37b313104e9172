"""What the objects of a cluster mean: pure functions from what the API server told to a reason and its facts.

parts      reading objects of which any part may be missing
finding    what such a function gives: a reason, the facts that its sentence names, and how something ended
messages   what Kueue and the scheduler wrote for people, taken apart
events     what was told of an object, and when
unheard    why there is no Workload for what waits
workload   why Kueue lets a run wait, or sent it away
job        why a Job has no pods, and how it ended
rayjob     whether a RayJob is over or tried again, and why it has no Ray cluster
raycluster how many workers a RayCluster is to have, and why its pods are not made
pod        why a pod does not start, and how it ended
"""
