"""docker-py against the daemon of DOCKER_HOST: every operation on containers and execs, with good and with bad input.

Written against dockerd's answers. A dockerd 20.10 fails five of these for what later versions of it say otherwise.
"""

import threading
import time
import unittest

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import Healthcheck, LogConfig, Mount, Ulimit


class Base(unittest.TestCase):
    def setUp(self):
        self.client = docker.from_env(timeout=120)
        self.api = self.client.api
        self.made = []

    def tearDown(self):
        for container in self.made:
            try:
                container.remove(force=True, v=True)
            except NotFound:
                pass
        self.client.close()

    def create(self, command=None, **more):
        container = self.client.containers.create("busybox", command, **more)
        self.made.append(container)
        return container

    def run_(self, command="sleep 1000", **more):
        container = self.create(command, **more)
        container.start()
        return container

    def output(self, command, **more):
        container = self.run_(command, **more)
        container.wait()
        return container.logs().decode()

    def refused(self, status, words, call, *arguments, **more):
        with self.assertRaises(APIError) as caught:
            call(*arguments, **more)
        self.assertEqual(caught.exception.status_code, status, caught.exception)
        self.assertIn(words, caught.exception.explanation)

    def until(self, holds, what):
        for _ in range(600):
            if holds():
                return
            time.sleep(0.1)
        self.fail(what)


class Lives(Base):
    def test_create_start_wait_logs_remove(self):
        container = self.create(["sh", "-c", "echo out; echo err >&2; exit 3"], name="life", labels={"a": "b"})
        self.assertEqual(container.status, "created")
        container.start()
        self.assertEqual(container.wait()["StatusCode"], 3)
        self.assertEqual(container.logs(stdout=True, stderr=False), b"out\n")
        self.assertEqual(container.logs(stdout=False, stderr=True), b"err\n")
        container.reload()
        self.assertEqual((container.status, container.labels, container.name), ("exited", {"a": "b"}, "life"))
        self.assertEqual(container.attrs["State"]["ExitCode"], 3)
        container.remove()
        self.refused(404, "No such container: life", self.api.inspect_container, "life")

    def test_create_refuses(self):
        with self.assertRaises(ImageNotFound):
            self.client.containers.create("nothing/like-this:1")
        self.create("true", name="taken")
        self.refused(409, 'The container name "/taken" is already in use', self.create, "true", name="taken")
        self.refused(400, "Invalid container name (-bad)", self.create, "true", name="-bad")
        self.refused(400, "Minimum memory limit allowed is 6MB", self.create, "true", mem_limit=1024)
        self.refused(400, "working directory 'here' is invalid", self.create, "true", working_dir="here")
        self.refused(400, "capability", self.create, "true", cap_add=["FLY"])

    def test_a_missing_network_is_the_starts_trouble(self):
        container = self.create("true", network="nowhere")
        self.refused(404, "network nowhere not found", container.start)
        container.reload()
        self.assertEqual(container.status, "created")

    def test_start_and_stop_twice_is_no_error(self):
        container = self.run_("sh -c 'trap exit TERM; echo ready; while :; do sleep 0.1; done'")
        container.start()
        self.until(lambda: b"ready" in container.logs(), "it is not ready")
        container.stop(timeout=60)
        container.stop()
        self.assertEqual(container.wait()["StatusCode"], 0)

    def test_a_missing_program(self):
        container = self.create("/no/such/program")
        self.refused(400, "no such file or directory", container.start)
        container.reload()
        self.assertEqual(container.attrs["State"]["ExitCode"], 127)

    def test_kill(self):
        container = self.run_("sh -c 'trap \"exit 5\" USR1; echo ready; while :; do sleep 0.1; done'")
        self.refused(400, "Invalid signal: NOTHING", container.kill, signal="NOTHING")
        self.until(lambda: b"ready" in container.logs(), "it is not ready")
        container.kill(signal="SIGUSR1")
        self.assertEqual(container.wait()["StatusCode"], 5)
        self.refused(409, "is not running", container.kill)

    def test_restart_and_rename(self):
        container = self.run_("sleep 1000")
        before = self.api.inspect_container(container.id)["State"]["StartedAt"]
        container.restart(timeout=0)
        self.assertNotEqual(before, self.api.inspect_container(container.id)["State"]["StartedAt"])
        container.rename("other-name")
        self.assertEqual(self.client.containers.get("other-name").id, container.id)
        second = self.create("true")
        self.refused(409, "is already in use", second.rename, "other-name")

    def test_pause(self):
        container = self.run_("sleep 1000")
        container.pause()
        container.reload()
        self.assertEqual(container.status, "paused")
        self.assertTrue(container.attrs["State"]["Paused"] and container.attrs["State"]["Running"])
        self.refused(409, "is paused", container.exec_run, "true")
        self.refused(409, "already paused", container.pause)
        container.unpause()
        self.refused(409, "is not paused", container.unpause)
        self.refused(409, "is not running", self.create("true").pause)

    def test_remove(self):
        container = self.run_("sleep 1000")
        self.refused(409, "cannot remove container", container.remove)
        container.remove(force=True)
        self.refused(404, "No such container", container.remove)

    def test_auto_remove_and_wait_for_removal(self):
        container = self.create("true", auto_remove=True)
        done = []
        waiting = threading.Thread(target=lambda: done.append(container.wait(condition="removed")))
        waiting.start()
        time.sleep(0.2)
        container.start()
        waiting.join(60)
        self.assertEqual(done[0]["StatusCode"], 0)
        self.until(lambda: container.id not in [c.id for c in self.client.containers.list(all=True)], "it stays")
        self.refused(400, "", self.api.wait, self.create("true").id, condition="never")

    def test_restart_policy(self):
        container = self.run_("false", restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
        self.until(lambda: container.reload() or container.status == "exited", "it goes on for ever")
        self.assertEqual(container.attrs["RestartCount"], 2)
        self.refused(400, "", self.create, "true", auto_remove=True, restart_policy={"Name": "always"})

    def test_init(self):
        self.assertIn("1", self.output(["sh", "-c", "echo $PPID"], init=True))


class Lists(Base):
    def names(self, **filters):
        return sorted(c.name for c in self.client.containers.list(all=True, filters=filters))

    def test_filters(self):
        self.run_("sleep 1000", name="filter-up", labels={"color": "red", "size": "1"})
        self.create("true", name="filter-made", labels={"color": "blue"})
        done = self.run_("sh -c 'exit 4'", name="filter-done")
        done.wait()
        self.assertEqual(self.names(status="running"), ["filter-up"])
        self.assertEqual(self.names(label="color"), ["filter-made", "filter-up"])
        self.assertEqual(self.names(label=["color=red", "size"]), ["filter-up"])
        self.assertEqual(self.names(exited="4"), ["filter-done"])
        self.assertEqual(self.names(name="filter-d"), ["filter-done"])
        self.assertEqual(self.names(name="^/filter-(up|made)$"), ["filter-made", "filter-up"])
        self.assertEqual(self.names(id=done.id[:12]), ["filter-done"])
        self.assertEqual(self.names(ancestor="busybox"), ["filter-done", "filter-made", "filter-up"])
        self.assertEqual(self.names(before="filter-made"), ["filter-up"])
        self.assertEqual(self.names(since="filter-made"), ["filter-done"])
        self.assertEqual(self.names(health="none"), ["filter-done", "filter-made", "filter-up"])
        self.refused(400, "nvalid filter 'colour'", self.names, colour="red")
        self.refused(400, "nvalid", lambda: self.names(status="asleep"))
        self.assertEqual(len(self.client.containers.list(limit=2)), 2)
        self.assertEqual([c.name for c in self.client.containers.list()], ["filter-up"])

    def test_size_and_diff(self):
        container = self.run_(["sh", "-c", "dd if=/dev/zero of=/big bs=1024 count=100 2>/dev/null"])
        container.wait()
        row = [c for c in self.api.containers(all=True, size=True) if c["Id"] == container.id][0]
        self.assertGreaterEqual(row["SizeRw"], 100 * 1024)
        self.assertGreater(row["SizeRootFs"], row["SizeRw"])

    def test_prune(self):
        self.create("true", labels={"prune": "me"})
        kept = self.create("true", labels={"prune": "not"})
        gone = self.client.containers.prune(filters={"label": "prune=me"})
        self.assertEqual(len(gone["ContainersDeleted"]), 1)
        kept.reload()
        self.assertEqual(self.client.containers.prune(filters={"label": "prune=me"})["ContainersDeleted"] or [], [])


class Sees(Base):
    def test_top_and_stats(self):
        container = self.run_("sleep 1000")
        top = container.top()
        self.assertIn("PID", top["Titles"])
        self.assertIn("sleep 1000", top["Processes"][0][-1])
        stats = container.stats(stream=False)
        self.assertGreater(stats["memory_stats"]["usage"], 0)
        self.assertGreater(stats["cpu_stats"]["system_cpu_usage"], stats["precpu_stats"]["system_cpu_usage"])
        stream = container.stats(decode=True)
        self.assertEqual(next(stream)["id"], container.id)
        stream.close()
        self.refused(409, "is not running", self.create("true").top)

    def test_logs(self):
        container = self.run_(["sh", "-c", "for i in 1 2 3; do echo line $i; done"])
        container.wait()
        self.assertEqual(container.logs(tail=2), b"line 2\nline 3\n")
        self.assertEqual(container.logs(tail=0), b"")
        stamped = container.logs(timestamps=True, tail=1).decode()
        self.assertRegex(stamped, r"^\d{4}-\d\d-\d\dT[\d:.]+Z line 3\n$")
        self.assertEqual(container.logs(since=int(time.time()) + 100), b"")
        self.assertEqual(container.logs(until=1), b"")
        self.assertEqual(b"".join(container.logs(stream=True, follow=True)), b"line 1\nline 2\nline 3\n")
        self.refused(404, "No such container", self.api.logs, "nobody")
        silent = self.run_("echo hi", log_config=LogConfig(type="none"))
        silent.wait()
        self.refused(501, "does not support reading", silent.logs)

    def test_inspect_has_what_clients_read(self):
        container = self.run_("sleep 1000", mounts=[Mount("/cache", None)], environment={"A": "b"}, hostname="me")
        shown = self.api.inspect_container(container.id)
        for name in ("Id", "Created", "Path", "Args", "State", "Image", "ResolvConfPath", "HostnamePath", "HostsPath",
                     "LogPath", "Name", "RestartCount", "Driver", "Platform", "MountLabel", "ProcessLabel",
                     "AppArmorProfile", "HostConfig", "GraphDriver", "Mounts", "Config", "NetworkSettings"):
            self.assertIn(name, shown)
        self.assertEqual(shown["Config"]["Hostname"], "me")
        self.assertIn("A=b", shown["Config"]["Env"])
        self.assertEqual(shown["Mounts"][0]["Destination"], "/cache")
        self.assertTrue(shown["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])
        self.assertIsInstance(shown["HostConfig"]["LogConfig"]["Config"], dict)

    def test_the_same_question_has_the_same_answer(self):
        labels = {"label-%d" % number: "x" for number in range(30)}
        container = self.create("true", labels=labels, ports={"%d/tcp" % port: None for port in range(1000, 1030)})
        ask = lambda: self.api._get(self.api._url("/containers/{0}/json", container.id)).text
        self.assertEqual(len({ask() for _ in range(5)}), 1)

    def test_events(self):
        since = int(time.time()) - 1
        container = self.run_("true", name="eventful")
        container.wait()
        container.remove()
        time.sleep(0.1)
        events = list(self.client.events(decode=True, since=since, until=int(time.time()) + 1,
                                         filters={"container": "eventful"}))
        actions = [event["Action"] for event in events]
        for action in ("create", "start", "die", "destroy"):
            self.assertIn(action, actions)
        die = [event for event in events if event["Action"] == "die"][0]
        self.assertEqual(die["Actor"]["Attributes"]["exitCode"], "0")
        self.assertEqual((die["id"], die["status"], die["from"]), (container.id, "die", "busybox"))

    def test_update(self):
        container = self.run_("sleep 1000", mem_limit="64m")
        container.update(mem_limit="128m", memswap_limit="256m", cpu_shares=512)
        shown = self.api.inspect_container(container.id)["HostConfig"]
        self.assertEqual((shown["Memory"], shown["CpuShares"]), (128 << 20, 512))
        container.update(restart_policy={"Name": "always"})
        self.assertEqual(self.api.inspect_container(container.id)["HostConfig"]["RestartPolicy"]["Name"], "always")
        self.refused(400, "6MB", container.update, mem_limit=1000)

    def test_health(self):
        check = Healthcheck(test=["CMD-SHELL", "test -e /well"], interval=200_000_000, retries=2)
        container = self.run_("sleep 1000", healthcheck=check)
        health = lambda: self.api.inspect_container(container.id)["State"]["Health"]
        self.until(lambda: health()["Status"] == "unhealthy", "it stays healthy")
        container.exec_run("touch /well")
        self.until(lambda: health()["Status"] == "healthy", "it stays unhealthy")
        self.assertEqual(health()["Log"][-1]["ExitCode"], 0)


class Talks(Base):
    def test_exec(self):
        container = self.run_("sleep 1000", environment=["A=container"])
        self.assertEqual(container.exec_run("echo hi").output, b"hi\n")
        self.assertEqual(container.exec_run("sh -c 'exit 7'").exit_code, 7)
        self.assertEqual(container.exec_run("pwd", workdir="/tmp").output, b"/tmp\n")
        self.assertEqual(container.exec_run("sh -c 'echo $A $B'", environment={"B": "exec"}).output, b"container exec\n")
        self.assertEqual(container.exec_run("id -u", user="1000").output, b"1000\n")
        out, err = container.exec_run("sh -c 'echo o; echo e >&2'", demux=True).output
        self.assertEqual((out, err), (b"o\n", b"e\n"))
        self.assertEqual(container.exec_run("tty", tty=True).output, b"/dev/pts/0\r\n")
        missing = container.exec_run("no-such-program")
        self.assertIn(missing.exit_code, (126, 127))
        self.assertIn(b"executable file not found in $PATH", missing.output)

    def test_exec_by_its_parts(self):
        container = self.run_("sleep 1000")
        made = self.api.exec_create(container.id, "sleep 1000", tty=True, stdin=True)
        self.assertEqual(self.api.exec_inspect(made["Id"])["Running"], False)
        self.api.exec_start(made["Id"], detach=True)
        self.until(lambda: self.api.exec_inspect(made["Id"])["Running"], "it does not run")
        self.api.exec_resize(made["Id"], height=30, width=100)
        self.assertIn(made["Id"], self.api.inspect_container(container.id)["ExecIDs"])
        self.refused(409, "", self.api.exec_start, made["Id"])
        self.refused(404, "No such exec instance", self.api.exec_inspect, "nothing")
        self.refused(404, "No such exec instance", self.api.exec_start, "nothing")
        self.refused(409, "is not running", self.api.exec_create, self.create("true").id, "true")
        self.refused(404, "No such container", self.api.exec_create, "nobody", "true")

    def test_attach_with_input_and_its_end(self):
        made = self.api.create_container("busybox", "cat", stdin_open=True,
                                         host_config=self.api.create_host_config())
        self.made.append(self.client.containers.get(made["Id"]))
        self.assertTrue(self.api.inspect_container(made["Id"])["Config"]["OpenStdin"])
        socket = self.api.attach_socket(made["Id"], {"stdin": 1, "stdout": 1, "stream": 1})
        self.api.start(made["Id"])
        socket._sock.sendall(b"hello\n")
        frame = b""
        while len(frame) < 14:
            frame += socket._sock.recv(100)
        self.assertEqual(frame, b"\x01\0\0\0\0\0\0\x06hello\n")
        socket.close()

    def test_attach_stream(self):
        container = self.create(["sh", "-c", "sleep 0.3; echo streamed"])
        output = container.attach(stream=True, logs=False)
        container.start()
        self.assertEqual(b"".join(output), b"streamed\n")

    def test_resize(self):
        container = self.run_("sleep 1000", tty=True)
        container.resize(30, 100)
        self.assertEqual(container.exec_run(["sh", "-c", "stty size < /dev/console"]).output, b"30 100\n")
        self.refused(409, "is not running", self.create("true", tty=True).resize, 30, 100)

    def test_limits_and_namespaces(self):
        limits = [Ulimit(name="nofile", soft=100, hard=200)]
        self.assertEqual(self.output("sh -c 'ulimit -n'", ulimits=limits), "100\n")
        first = self.run_("sleep 1000", ipc_mode="shareable")
        shared = {"pid_mode": "container:" + first.id, "ipc_mode": "container:" + first.id,
                  "network_mode": "container:" + first.id}
        second = self.run_(["sh", "-c", "pidof sleep; hostname -i"], **shared)
        second.wait()
        self.assertIn("1", second.logs().decode())
        self.assertEqual(self.output("cat /proc/sys/kernel/hostname", hostname="named"), "named\n")
        self.assertEqual(self.output("cat /proc/self/oom_score_adj", oom_score_adj=500), "500\n")
        self.assertEqual(self.output("cat /proc/sys/net/core/somaxconn", sysctls={"net.core.somaxconn": "77"}), "77\n")
        self.assertIn("tmpfs /scratch", self.output("cat /proc/mounts", tmpfs={"/scratch": "size=1m"}))
        self.assertEqual(self.output(["sh", "-c", "touch /x 2>&1 | grep -c -i read-only"], read_only=True), "1\n")
        self.assertEqual(self.output("hostname", network_mode="host"), open("/etc/hostname").read())

    def test_a_joined_network_comes_with_its_name_and_files(self):
        first = self.run_("sleep 1000", hostname="first")
        second = self.run_("sleep 1000", network_mode="container:" + first.id)
        said = lambda container, script: container.exec_run(["sh", "-c", script]).output.decode()
        self.assertEqual(said(second, "hostname; echo $HOSTNAME; cat /etc/hostname"), "first\n" * 3)
        self.assertEqual(said(second, "hostname -i"), said(first, "hostname -i"))
        said(first, "echo 10.9.9.9 later >> /etc/hosts")
        self.assertIn("10.9.9.9 later", said(second, "cat /etc/hosts"))

    def test_details_of_logs(self):
        log = {"type": "json-file", "config": {"labels": "team", "env": "APP"}}
        container = self.create("echo hi", labels={"team": "a b"}, environment={"APP": "x"}, log_config=log)
        container.start()
        container.wait()
        shown = self.api._result(self.api._get(self.api._url("/containers/{0}/logs", container.id),
                                               params={"stdout": 1, "details": 1}), binary=True)
        self.assertEqual(shown[8:], b"APP=x,team=a+b hi\n")

    def test_volumes_from_and_links(self):
        data = self.run_(["sh", "-c", "echo kept > /data/file; sleep 1000"], volumes=["/data"], name="data")
        self.until(lambda: data.exec_run("test -e /data/file").exit_code == 0, "no file")
        self.assertEqual(self.output("cat /data/file", volumes_from=["data"]), "kept\n")
        self.assertIn("alias", self.output("cat /etc/hosts", links={"data": "alias"}))
        self.refused(400, "No such container", self.create, "true", volumes_from=["nobody"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
