"""The JupyterHub of the tests: each user has a server with a home of its own. What is new each time is in hub.json."""

import json
import os
import sys
from pathlib import Path

HERE, FOLDER = Path(__file__).parent, Path(os.environ["HUB_FOLDER"])
told = json.loads((FOLDER / "hub.json").read_text())
c = get_config()  # noqa: F821 - what executes this has it

c.JupyterHub.bind_url = told["url"]
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{told['hub_port']}"
c.JupyterHub.cookie_secret_file = str(FOLDER / "cookies")
c.JupyterHub.db_url = f"sqlite:///{FOLDER}/hub.sqlite"
c.JupyterHub.log_level = "INFO"
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}  # who asks for a server is answered at once
c.JupyterHub.services = [{"name": "tests", "api_token": told["token"]}]
c.JupyterHub.load_roles = [
    {"name": "tests", "services": ["tests"], "scopes": ["admin:servers", "read:users", "tokens"]},
]
if told["guest"]:
    scopes = [f"access:servers!user={name}" for name in told["users"]]
    c.JupyterHub.load_roles += [{"name": "guests", "users": [told["guest"]], "scopes": scopes}]

c.ConfigurableHTTPProxy.command = [
    "node",
    str(HERE / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"),
]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{told['proxy_port']}"
c.ConfigurableHTTPProxy.pid_file = str(FOLDER / "proxy.pid")
c.ConfigurableHTTPProxy.check_running_interval = 1

c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = told["password"]
c.Authenticator.allowed_users = {*told["users"], *filter(None, [told["guest"]])}

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{FOLDER}/homes/{{username}}"
c.Spawner.ip = "127.0.0.1"
c.Spawner.start_timeout = c.Spawner.http_timeout = told["patience"]
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {
    "JOBQ_RUNTIME_DIR": lambda spawner: f"{told['runtime']}/{spawner.user.name}",
}
