"""Images that went to a registry, as for a cluster, and are run by the engine here: the same bytes."""

from __future__ import annotations

import base64
import json

from jobq_magic.image import BuildRequest, Image
from jobq_magic.images import parts
from jobq_magic.images.assemble import assemble, image_key
from jobq_magic.images.destinations import RegistryDestination
from jobq_magic.runtime.wire import canonical, replace_file
from tests.docker.conftest import PYTHON
from tests.services.registry import registry


def pushed(place, run, service, environ):
    """The image of a run in a registry, and nowhere else."""
    recipe = BuildRequest.from_json(json.loads(run.paths.request.read_bytes())).recipe
    made = (parts.runtime(PYTHON), *parts.values(run.paths.bundle), parts.code(run.paths.bundle))
    key = image_key(place.base, made, recipe)
    layers = (*place.base.layers, *map(place.cache.layer, made))
    to = RegistryDestination(f"{service.address}/team/jobq", "", environ, place.cache)
    sent = to.put(assemble(place.base, layers, recipe, {}, key), lambda _: None)
    to.close()
    replace_file(run.paths.image, canonical(Image(sent.reference, sent.digest, key).to_json()))
    return sent


def test_an_image_of_a_registry_that_asks_for_a_password_is_pulled_and_run(place, tmp_path, monkeypatch):
    with registry(tmp_path / "registry", users={"ann": "let me in"}) as service:
        passwords = {service.host: {"auth": base64.b64encode(b"ann:let me in").decode()}}
        (tmp_path / "docker").mkdir()
        (tmp_path / "docker/config.json").write_text(json.dumps({"auths": passwords}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
        run = place.open("print('pulled')\n'the same'")
        sent = pushed(place, run, service, {**service.environ, "DOCKER_CONFIG": str(tmp_path / "docker")})
        cell = place.follow(run)
        cell.end()
        assert (cell.value, cell.stdout) == ("the same", "pulled\n")
        assert place.engine.api.inspect_image(sent.reference)["RepoDigests"] == [sent.reference]
        place.engine.api.remove_image(sent.reference, force=True)


def test_an_image_that_the_registry_does_not_give_is_told_by_its_name(place, tmp_path):
    with registry(tmp_path / "registry") as service:
        run = place.open("1")
        sent = pushed(place, run, service, service.environ)
        missing = sent.reference[:-8] + "0" * 8
        image = run.paths.image.read_text().replace(sent.reference, missing)
        run.paths.image.write_text(image)
        cell = place.follow(run)
        assert cell.end().reason == "refused"
        assert f"Docker could not pull {missing}" in cell.snapshot.facts["error"]
