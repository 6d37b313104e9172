"""What a queue has is told as Kueue would reckon it; what cannot be known is None, and said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobq_magic.cluster.capacity import Capacity, Quota, capacity, capacity_of
from jobq_magic.cluster.refusals import Forbidden, Missing

KEY = ("cpu", "default")


def local(name="main", cluster="blue", **status):
    return {"metadata": {"name": name}, "spec": {"clusterQueue": cluster}, "status": status}


def cluster(name, nominal, cohort="", used=0, borrow=None, lend=None, resource="cpu", flavor="default", **spec):
    limits = {"borrowingLimit": borrow, "lendingLimit": lend}
    quota = {"name": resource, "nominalQuota": nominal} | {
        key: each for key, each in limits.items() if each is not None
    }
    groups = [{"coveredResources": [resource], "flavors": [{"name": flavor, "resources": [quota]}]}]
    taken = [{"name": flavor, "resources": [{"name": resource, "total": str(used)}]}]
    return {
        "metadata": {"name": name},
        "spec": {"cohortName": cohort, "resourceGroups": groups, **spec},
        "status": {"flavorsReservation": taken, "pendingWorkloads": 3},
    }


def cohort(name, nominal=None, parent="", borrow=None):
    found = cluster(name, nominal or 0, borrow=borrow)
    spec = {"resourceGroups": found["spec"]["resourceGroups"] if nominal is not None or borrow is not None else []}
    return {"metadata": {"name": name}, "spec": spec | ({"parentName": parent} if parent else {})}


def told(own, *others, cohorts=()):
    return capacity_of(local(), own, queues=(own, *others), cohorts=cohorts).quotas[0]


def test_a_queue_of_its_own_has_what_is_written():
    found = told(cluster("blue", "1", used="400m"))
    assert found == Quota("cpu", "default", nominal=1, borrowing=0.0, most=1, used=0.4, free=0.6)


def test_a_cohort_lends_all_that_its_queues_have():
    found = told(cluster("blue", "1", "research"), cluster("green", "3", "research", used=1))
    assert (found.most, found.free) == (4, 3)


def test_a_limit_of_borrowing_bounds_it():
    blue = cluster("blue", "1", "research", borrow="500m")
    found = told(blue, cluster("green", "3", "research"))
    assert (found.most, found.free, found.borrowing) == (1.5, 1.5, 0.5)


def test_what_is_borrowed_already_counts_against_the_limit():
    blue = cluster("blue", "1", "research", borrow="500m", used="1200m")
    assert told(blue, cluster("green", "3", "research")).free == 0.3


def test_what_others_do_not_lend_is_not_to_be_had():
    blue = cluster("blue", "1", "research")
    assert told(blue, cluster("green", "3", "research", lend="1")).most == 2


def test_what_others_keep_and_use_takes_nothing_away():
    blue = cluster("blue", "1", "research")
    assert told(blue, cluster("green", "3", "research", lend="1", used="2")).free == 2


def test_a_queue_keeps_for_itself_what_it_does_not_lend():
    blue = cluster("blue", "2", "research", lend="500m", used="2")
    found = told(blue, cluster("green", "1", "research"))
    assert (found.most, found.free) == (3, 1)


def test_a_stopped_queue_lends_nothing():
    green = cluster("green", "3", "research", stopPolicy="Hold")
    assert told(cluster("blue", "1", "research"), green).most == 1


def test_cohorts_have_quota_of_their_own_and_cohorts_above_them():
    cohorts = (cohort("research", "2", parent="all", borrow="1"), cohort("all", "10"))
    assert told(cluster("blue", "1", "research"), cohorts=cohorts).most == 4  # 1 + 2, and 1 from above


def test_cohorts_in_a_circle_do_no_harm():
    cohorts = (cohort("research", "2", parent="all"), cohort("all", "10", parent="research"))
    assert told(cluster("blue", "1", "research"), cohorts=cohorts).most is not None


def test_the_older_name_of_a_cohort_is_read_too():
    blue, green = (cluster(name, "1") for name in ("blue", "green"))
    for each in (blue, green):
        each["spec"] = each["spec"] | {"cohort": "research", "cohortName": ""}
    assert told(blue, green).most == 2


def test_without_its_cohort_nothing_is_guessed():
    found = capacity_of(local(), cluster("blue", "1", "research", used="400m"))
    assert found.quotas == (Quota("cpu", "default", nominal=1, used=0.4),)
    assert found.unknown == "What blue may borrow cannot be read"


def test_who_may_not_borrow_needs_no_cohort():
    blue = cluster("blue", "1", "research", used="400m", borrow="0", lend="0")
    found = capacity_of(local(), blue).quotas[0]
    assert (found.most, found.free) == (1, 0.6)


def test_without_its_cluster_queue_the_use_of_its_own_runs_is_known():
    taken = [{"name": "default", "resources": [{"name": "cpu", "total": "300m"}]}]
    found = capacity_of(local(flavorsReservation=taken), None, unknown="We may not")
    assert found == Capacity("main", "blue", (Quota("cpu", "default", used=0.3),), unknown="We may not")
    assert found.most("cpu") is None
    assert found.most("nvidia.com/gpu") is None


def test_what_a_known_queue_does_not_have_it_never_gives():
    assert capacity_of(local(), cluster("blue", "1")).most("nvidia.com/gpu") == 0


def test_of_several_flavors_one_run_gets_the_best():
    quotas = (Quota("cpu", "a", most=2), Quota("cpu", "b", most=8))
    assert Capacity("main", quotas=quotas).most("cpu") == 8
    assert Capacity("main", quotas=(*quotas, Quota("cpu", "c"))).most("cpu") is None


def test_a_better_queue_is_one_that_takes_it_in_all():
    def queue(name, shut=False, **most):
        return Capacity(name, quotas=tuple(Quota(each, "", most=count) for each, count in most.items()), open=not shut)

    others = (queue("small", cpu=4), queue("big", cpu=64, memory=10), queue("shut", shut=True, cpu=99))
    own = Capacity("main", others=others)
    assert own.better("cpu", 8).queue == "big"
    assert own.better("cpu", 8, {"memory": 11}) is None
    assert own.better("cpu", 100) is None
    assert own.better("nvidia.com/gpu", 1) is None


class Cluster:
    """Answers like an API server: with what it has, or why not."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []
        self.known = {"kueue.x-k8s.io": "v1beta2"}

    def get(self, path, **query):
        self.asked.append(path)
        name = path.rpartition("/")[2]
        found = self.answers.get(name, Missing("cluster-missing", f"There is no {name}"))
        if isinstance(found, Exception):
            raise found
        return found


def no(kind):
    return Forbidden("cluster-forbidden", f"We may not list {kind}")


def test_it_is_asked_in_three_requests():
    api = Cluster(
        localqueues={"items": [local(), local("gpu", "green")]},
        clusterqueues={"items": [cluster("blue", "1", "research"), cluster("green", "3", "research")]},
        cohorts={"items": []},
    )
    found = capacity(api, "team-blue", "main")
    assert (found.queue, found.cluster_queue, found.most("cpu"), found.waiting) == ("main", "blue", 4, 3)
    assert [each.queue for each in found.others] == ["gpu"]
    assert len(api.asked) == 3


def test_a_right_that_is_missing_is_said():
    api = Cluster(
        localqueues={"items": [local()]},
        clusterqueues=no("clusterqueues"),
        cohorts=no("cohorts"),
        blue=no("clusterqueues"),
    )
    found = capacity(api, "team-blue", "main")
    assert found.most("cpu") is None
    assert found.unknown == "What others may use is not known: we may not list clusterqueues; we may not list cohorts"


def test_one_cluster_queue_may_be_readable_where_all_are_not():
    api = Cluster(localqueues={"items": [local()]}, clusterqueues=no("clusterqueues"), blue=cluster("blue", "1"))
    found = capacity(api, "team-blue", "main")
    assert found.most("cpu") == 1


def test_a_queue_that_is_not_there_has_others():
    api = Cluster(localqueues={"items": [local("other")]}, clusterqueues={"items": [cluster("blue", "1")]})
    found = capacity(api, "team-blue", "main")
    assert (found.quotas, found.open, [each.queue for each in found.others]) == ((), False, ["other"])


def test_a_cluster_without_kueue_has_nothing_and_says_so():
    api = Cluster(**{"kueue.x-k8s.io": Missing("cluster-missing", "There is no kueue.x-k8s.io")})
    api.known = {}
    assert capacity(api, "team-blue", "main").unknown == "There is no kueue.x-k8s.io"


AMOUNTS = st.integers(0, 50)
LIMITS = st.none() | AMOUNTS
QUEUES = st.lists(st.tuples(AMOUNTS, AMOUNTS, LIMITS, LIMITS), min_size=1, max_size=5)


@given(QUEUES)
def test_nobody_gets_more_than_all_have_nor_has_more_free_than_he_can_get(queues):
    every = [
        cluster(f"q{order}", nominal, "all", used=min(used, nominal), borrow=borrow, lend=lend)
        for order, (nominal, used, borrow, lend) in enumerate(queues)
    ]
    found = told(every[0], *every[1:])
    assert queues[0][0] <= found.most <= sum(nominal for nominal, *_ in queues)
    assert 0 <= found.free <= found.most


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "spec", "status", "name", "items", "resources"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_nothing_that_an_api_server_sends_raises(one, other):
    one, other = (each if isinstance(each, dict) else {} for each in (one, other))
    capacity_of(one, other, queues=[other], cohorts=[one])


def test_what_does_not_suffice_is_that_of_the_flavor_which_comes_nearest_in_each_group():
    quotas = (
        *(Quota("cpu", "a", most=2, free=1), Quota("memory", "a", most=8)),
        *(Quota("cpu", "b", most=3, free=0), Quota("memory", "b", most=1)),
        Quota("nvidia.com/gpu", "c", most=1, group=1),
    )
    has = Capacity("main", quotas=quotas, whole=True)
    assert has.lacking({"cpu": 2, "memory": 8, "nvidia.com/gpu": 1}) == {}
    assert has.lacking({"cpu": 4, "memory": 8, "nvidia.com/gpu": 2}) == {"cpu": 2, "nvidia.com/gpu": 1}
    assert has.lacking({"cpu": 2}, now=True) == {"cpu": 1}
    assert has.lacking({"disk": 1}) == {"disk": 0}
    assert Capacity("main", quotas=(Quota("cpu", "a"),)).lacking({"cpu": 99, "disk": 1}) == {}
