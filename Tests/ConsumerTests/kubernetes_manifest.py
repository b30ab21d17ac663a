"""Checks the manifest for Kubernetes: by kubernetes-validate, where it is there, and what a schema does not know.

usage: kubernetes_manifest.py MANIFEST
"""
import sys

import yaml

documents = list(yaml.safe_load_all(open(sys.argv[1])))
kinds = {document["kind"]: document for document in documents}
job, service = kinds["Job"]["spec"], kinds["Service"]
pod = job["template"]["spec"]
container = pod["containers"][0]


def check(condition, text):
    if not condition:
        sys.exit(f"{sys.argv[1]}: {text}")


check(job["completionMode"] == "Indexed", "ranks come from the index of an Indexed Job")
environment = {entry["name"]: entry["value"] for entry in container["env"]}
check(int(environment["WORLD_SIZE"]) == job["completions"] == job["parallelism"], "all pods run at once and know how many")
check(environment["MASTER_ADDR"] == f"{kinds['Job']['metadata']['name']}-0.{pod['subdomain']}", "rank 0 by its name")
check(pod["subdomain"] == service["metadata"]["name"] and service["spec"]["clusterIP"] == "None", "a headless service")
check(service["spec"]["publishNotReadyAddresses"] is True, "names before pods are ready")
labels = job["template"]["metadata"]["labels"]
check(service["spec"]["selector"].items() <= labels.items(), "the service selects the pods")
mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
check(set(mounts) == {volume["name"] for volume in pod["volumes"]}, "every volume is mounted, and no other")
arguments = container["args"]
for flag, folder in [("--key", mounts["key"]), ("--run-dir", mounts["runs"])]:
    check(arguments[arguments.index(flag) + 1].startswith(folder + "/"), f"{flag} is in its volume")
ports = [port["port"] for port in service["spec"]["ports"]]
check(ports == [port["containerPort"] for port in container["ports"]] == [29500, 29501, 29502], "the coordinator's ports")
check(pod["restartPolicy"] in ("OnFailure", "Never"), "a Job's restart policy")
for volume in pod["volumes"]:
    if "secret" in volume:
        check(volume["secret"]["defaultMode"] == 0o440, "a key that the pod's group reads, and nobody else")
for limits in container["resources"].values():
    check(set(limits) == {"cpu", "memory"}, "requests and limits of CPU and memory")
for name in ("startupProbe", "livenessProbe"):
    check(container[name]["exec"]["command"][:2] == ["lockstep", "status"], "probes ask the coordinator")

try:
    import kubernetes_validate
except ImportError:
    print("checked, without kubernetes-validate")
else:
    for document in documents:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    print("checked with kubernetes-validate")
