"""What clients ask for in the way of older versions, as docker-py's own tests have found it."""

import docker

client = docker.from_env()
api = client.api

# An exec with a terminal that is started as if it had none: the stream has frames.
box = client.containers.run("busybox", "cat", detach=True, stdin_open=True, name="box")
run = api.exec_create(box.id, ["sh", "-c", "echo out; echo err >&2"], tty=True)
assert api.exec_start(run) == b"out\r\nerr\r\n"
run = api.exec_create(box.id, ["echo", "out"], tty=True)
assert api.exec_start(run, demux=True) == (b"out\r\n", None)
run = api.exec_create(box.id, ["echo", "out"], tty=True)
assert api.exec_start(run, tty=True) == b"out\r\n"
# Its detach keys come in a field that begins with a small letter.
run = api.exec_create(box.id, ["cat"], stdin=True, tty=True, detach_keys="ctrl-p")
assert api.exec_inspect(run)["DetachKeys"] == "ctrl-p"

# Whoever waits is told of the end, though a restart policy starts the program again.
again = client.containers.run("busybox", "true", detach=True, restart_policy={"Name": "always"})
assert again.wait(timeout=60)["StatusCode"] == 0
again.remove(force=True)

# A link is removed by its path, and both containers stay.
linked = client.containers.run("busybox", "cat", detach=True, stdin_open=True, name="linked", links={"box": "other"})
api.remove_container("linked/other", link=True)
assert not api.inspect_container("linked")["HostConfig"]["Links"]
try:
    api.remove_container("linked/other", link=True)
    raise AssertionError("a link is removed once")
except docker.errors.NotFound:
    pass

# One address for the whole container is that of its network.
address = "02:42:ac:11:00:0a"
made = api.create_container("busybox", "cat", stdin_open=True, mac_address=address)
assert "deprecated" in made["Warnings"][0]
api.start(made)
assert api.inspect_container(made)["NetworkSettings"]["MacAddress"] == address

# A container that ends while it is committed is committed all the same.
for number in range(10):
    quick = client.containers.run("busybox", ["touch", "/made"], detach=True)
    image = quick.commit()
    quick.remove(force=True)
    client.images.remove(image.id)

# Words and places that clients look for.
try:
    api.create_container("busybox", "true", host_config=api.create_host_config(log_config={"type": "asdf"}))
    raise AssertionError("there is no such log driver")
except docker.errors.APIError as error:
    assert error.explanation == "logger: no log driver named 'asdf' is registered", error
try:
    client.volumes.create("thing", driver="invalid")
    raise AssertionError("there is no such volume driver")
except docker.errors.NotFound as error:
    assert 'plugin "invalid" not found' in error.explanation, error
try:
    client.images.load(b"no archive")
    raise AssertionError("this is no archive")
except docker.errors.ImageLoadError:
    pass

for container in client.containers.list(all=True):
    container.remove(force=True)
