/**
 * One line for the fields that people ask `kubectl explain` about most, in our own words. A type's name, then its fields,
 * indented: the form of the type table. A test refuses names that the table does not know.
 */
const fieldDescriptions = `
meta.v1.ObjectMeta
  name The object's name, unique in its namespace for its kind.
  generateName Start of a name that the server completes with five random characters.
  namespace Where the object lives; "default" if not said. Cannot be changed.
  labels Names and values to find the object by; selectors match on them.
  annotations Names and values for people and programs; not searched.
  uid The server's own name of this object, never used twice.
  resourceVersion Changes with every write; send it back to write only if nobody else did.
  generation Counts the changes of the spec.
  creationTimestamp When the object was made.
  deletionTimestamp When the object is or was to go; set by a deletion that has to wait.
  deletionGracePeriodSeconds How long the deletion waits, in seconds.
  finalizers The object stays until this list is empty.
  ownerReferences Objects that this one belongs to; when all are gone, so is it.
  managedFields Who set which field, for server-side apply.
meta.v1.LabelSelector
  matchLabels Labels that must all be there with these values.
  matchExpressions Further requirements: In, NotIn, Exists, DoesNotExist.
core.v1.Pod
  metadata Name, labels and the like.
  spec What shall run, and how.
  status What was last seen of it.
core.v1.PodSpec
  containers The programs of the pod; they start together and share its network.
  initContainers Run one after the other, each to its end, before the others start; with restartPolicy Always they stay beside them.
  ephemeralContainers Added to a running pod for debugging; never restarted.
  restartPolicy Always, OnFailure or Never: whether ended containers are started again.
  volumes Storage that the containers may mount.
  nodeSelector Labels that a node must have to get the pod.
  nodeName The node that runs the pod; normally set by the scheduler.
  affinity Rules about which nodes, and which other pods nearby, are wanted.
  tolerations Taints of nodes that the pod puts up with.
  topologySpreadConstraints How evenly the pods are spread over nodes or zones.
  serviceAccountName As whom the pod speaks to the API.
  automountServiceAccountToken Whether its token is mounted into the containers.
  hostNetwork Use the node's own network instead of one of the pod's own.
  hostPID See the processes of the node.
  hostIPC Share the node's System V IPC.
  shareProcessNamespace Containers of the pod see each other's processes.
  dnsPolicy How /etc/resolv.conf is made: ClusterFirst, Default, None, ClusterFirstWithHostNet.
  dnsConfig Name servers and options to add to it.
  hostname The host name inside; the pod's name if not said.
  subdomain With a headless Service of that name, the pod is found as hostname.subdomain.
  hostAliases Lines for /etc/hosts.
  imagePullSecrets Secrets with the passwords of image registries.
  terminationGracePeriodSeconds How long containers may take to stop before they are killed; 30 if not said.
  activeDeadlineSeconds After so many seconds the pod is ended and failed.
  securityContext User, groups, sysctls and the like for all containers.
  priorityClassName How important the pod is, by the name of a PriorityClass.
  schedulerName Who chooses the node.
  runtimeClassName A RuntimeClass, for containers that are run in a special way.
  readinessGates Further conditions that must be true for the pod to be ready.
  enableServiceLinks Whether environment variables tell of the Services of the namespace.
core.v1.Container
  name Name of the container, unique in the pod.
  image What to run, such as nginx:1.27.
  imagePullPolicy Always, IfNotPresent or Never; Always for :latest.
  command The program, in place of the image's entrypoint.
  args Its arguments, in place of the image's.
  workingDir The directory it starts in.
  env Environment variables.
  envFrom ConfigMaps and Secrets whose keys all become environment variables.
  ports Ports it listens on: for people, Services and host ports.
  resources What it needs (requests) and may use at most (limits).
  volumeMounts Where volumes are mounted.
  livenessProbe When it fails, the container is started anew.
  readinessProbe While it fails, no Service sends traffic here.
  startupProbe Until it succeeds, the other probes wait.
  lifecycle What to do right after the start and before the stop.
  securityContext User, capabilities, privileges of this container.
  stdin Keep an input open that attach can write to.
  tty Give it a terminal.
  restartPolicy Always makes an init container a sidecar that stays.
  terminationMessagePath A file whose content becomes the message of the ended container.
  terminationMessagePolicy File, or FallbackToLogsOnError.
core.v1.EnvVar
  name Name of the variable.
  value Its value; $(OTHER) is replaced by other variables.
  valueFrom Take the value from elsewhere.
core.v1.EnvVarSource
  configMapKeyRef A key of a ConfigMap.
  secretKeyRef A key of a Secret.
  fieldRef A field of the pod, such as metadata.name or status.podIP.
  resourceFieldRef A limit or request of a container.
core.v1.ContainerPort
  containerPort The port, 1 to 65535.
  hostPort The same port on the node's address.
  name A name that Services and probes can use.
  protocol TCP, UDP or SCTP.
core.v1.ResourceRequirements
  requests What is set aside for it, and what the scheduler counts.
  limits What it may not exceed.
core.v1.Probe
  httpGet Succeeds when a GET answers 200 to 399.
  tcpSocket Succeeds when a connection can be made.
  exec Succeeds when a command in the container ends with 0.
  grpc Succeeds when the gRPC health service says SERVING.
  initialDelaySeconds Wait so long after the start before the first probe.
  periodSeconds How often to probe; 10 if not said.
  timeoutSeconds How long an answer may take; 1 if not said.
  successThreshold So many successes in a row after a failure count as success.
  failureThreshold So many failures in a row count as failure; 3 if not said.
core.v1.VolumeMount
  name The volume's name.
  mountPath Where it appears in the container.
  subPath Only this path inside the volume.
  readOnly Nothing may be written.
core.v1.Volume
  name Name of the volume, unique in the pod.
  emptyDir An empty directory that lives as long as the pod.
  hostPath A path of the node.
  configMap The keys of a ConfigMap as files.
  secret The keys of a Secret as files.
  persistentVolumeClaim Storage that outlives the pod, by the name of a claim.
  projected Several sources in one directory.
  downwardAPI Fields of the pod as files.
  nfs A directory of an NFS server.
core.v1.PodStatus
  phase Pending, Running, Succeeded, Failed or Unknown.
  conditions Single facts: PodScheduled, Initialized, ContainersReady, Ready.
  containerStatuses State of each container.
  podIP The pod's address.
  hostIP The node's address.
  startTime When the node accepted the pod.
  qosClass Guaranteed, Burstable or BestEffort.
apps.v1.DeploymentSpec
  replicas How many pods; 1 if not said.
  selector Which pods are this Deployment's; must match the template's labels. Cannot be changed.
  template What each pod looks like; a change starts a rollout.
  strategy How old pods are replaced by new ones.
  minReadySeconds How long a new pod must be ready to count as available.
  revisionHistoryLimit How many old ReplicaSets are kept for undoing; 10 if not said.
  paused Changes of the template wait until this is false again.
  progressDeadlineSeconds After so long without progress the rollout is called failed; 600 if not said.
apps.v1.DeploymentStrategy
  type RollingUpdate (step by step) or Recreate (all old ones go first).
  rollingUpdate How big the steps are.
apps.v1.RollingUpdateDeployment
  maxUnavailable How many pods may be missing meanwhile, a number or a percentage; 25% if not said.
  maxSurge How many pods may be too many meanwhile, a number or a percentage; 25% if not said.
apps.v1.ReplicaSetSpec
  replicas How many pods; 1 if not said.
  selector Which pods are counted. Cannot be changed.
  template What a new pod looks like.
apps.v1.StatefulSetSpec
  replicas How many pods; 1 if not said.
  serviceName The headless Service that gives the pods their names.
  selector Which pods are this set's. Cannot be changed.
  template What each pod looks like.
  volumeClaimTemplates Claims that each pod gets for itself, and keeps.
  podManagementPolicy OrderedReady (one after the other) or Parallel.
  updateStrategy RollingUpdate, from the highest number down to the partition, or OnDelete.
  persistentVolumeClaimRetentionPolicy Whether the claims go with the set or when it shrinks.
  revisionHistoryLimit How many old revisions are kept.
apps.v1.DaemonSetSpec
  selector Which pods are this set's. Cannot be changed.
  template What the pod on each node looks like.
  updateStrategy RollingUpdate or OnDelete.
batch.v1.JobSpec
  template What each pod looks like; restartPolicy must be OnFailure or Never.
  completions So many pods must succeed.
  parallelism So many may run at one time.
  backoffLimit So many failures are put up with; 6 if not said.
  activeDeadlineSeconds After so many seconds the whole job is ended and failed.
  ttlSecondsAfterFinished Delete the job so many seconds after its end.
  completionMode NonIndexed, or Indexed: each pod has a number of its own.
  suspend No pods run while this is true.
  selector Made by the server; set it only with manualSelector.
batch.v1.CronJobSpec
  schedule Minute, hour, day of month, month, day of week, as in cron.
  timeZone Zone of the schedule, such as Europe/Berlin.
  jobTemplate What each Job looks like.
  concurrencyPolicy Allow, Forbid or Replace, when the last Job still runs.
  suspend No new Jobs while this is true.
  startingDeadlineSeconds A Job that could not start so long after its time is skipped.
  successfulJobsHistoryLimit How many succeeded Jobs are kept; 3 if not said.
  failedJobsHistoryLimit How many failed Jobs are kept; 1 if not said.
core.v1.ServiceSpec
  type ClusterIP, NodePort, LoadBalancer or ExternalName.
  selector Labels of the pods that traffic goes to.
  ports Ports of the Service.
  clusterIP Its address inside the cluster; None for a headless one.
  externalName The DNS name that an ExternalName Service stands for.
  externalIPs Addresses, routed to nodes by somebody else, that the Service also answers on.
  sessionAffinity ClientIP sends one client always to the same pod.
  externalTrafficPolicy Cluster, or Local: only pods of the node that the traffic came to.
  internalTrafficPolicy Cluster, or Local: only pods of the node that the client is on.
  publishNotReadyAddresses Pods count before they are ready.
core.v1.ServicePort
  port The port of the Service.
  targetPort The port of the pods, a number or a name; the same if not said.
  nodePort The port on every node, 30000 to 32767.
  name Name of the port, needed if there are several.
  protocol TCP, UDP or SCTP.
networking.v1.IngressSpec
  ingressClassName Which controller serves it.
  rules Hosts and paths, and where they lead.
  tls Hosts with certificates, by the names of Secrets.
  defaultBackend Where everything else leads.
networking.v1.HTTPIngressPath
  path Start of the URL's path.
  pathType Exact, Prefix or ImplementationSpecific.
  backend The Service that gets the request.
networking.v1.NetworkPolicySpec
  podSelector The pods that the policy is about; empty for all of the namespace.
  policyTypes Ingress, Egress, or both.
  ingress Who may come in; an empty list for nobody.
  egress Where they may go; an empty list for nowhere.
core.v1.PersistentVolumeClaimSpec
  accessModes ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.
  resources How much storage is asked for.
  storageClassName Which class makes the volume; the default one if not said, none for "".
  volumeName The volume that it is bound to.
  selector Only volumes with these labels.
  volumeMode Filesystem or Block.
core.v1.PersistentVolumeSpec
  capacity How big it is.
  accessModes What it can be used as.
  persistentVolumeReclaimPolicy Retain or Delete, when its claim is gone.
  storageClassName The class that it belongs to.
  claimRef The claim that it is bound to.
  nodeAffinity The nodes that can reach it.
core.v1.ConfigMap
  data Names and texts.
  binaryData Names and bytes, in base64.
  immutable Nothing can be changed any more; delete and make it anew.
core.v1.Secret
  data Names and values, in base64.
  stringData The same as plain text, for writing only.
  type What it is for, such as kubernetes.io/tls; Opaque if not said.
  immutable Nothing can be changed any more; delete and make it anew.
autoscaling.v2.HorizontalPodAutoscalerSpec
  scaleTargetRef What is scaled.
  minReplicas Never fewer; 1 if not said.
  maxReplicas Never more.
  metrics What is looked at; 80% of the requested CPU if not said.
  behavior How fast it goes up and down.
policy.v1.PodDisruptionBudgetSpec
  selector The pods that it is about.
  minAvailable So many must stay, a number or a percentage.
  maxUnavailable So many may be missing, a number or a percentage.
core.v1.NodeSpec
  unschedulable No new pods come here (cordon).
  taints Keep pods away that do not tolerate them.
  podCIDR The addresses of its pods.
core.v1.ResourceQuotaSpec
  hard Upper bounds, such as pods or requests.cpu.
scheduling.v1.PriorityClass
  value The higher, the more important; at most 1000000000.
  globalDefault Pods that name no class get this one.
  preemptionPolicy PreemptLowerPriority or Never.
storage.v1.StorageClass
  provisioner Who makes the volumes.
  reclaimPolicy Delete or Retain, for volumes made by it.
  volumeBindingMode Immediate, or WaitForFirstConsumer: when a pod needs it.
  allowVolumeExpansion Whether claims may grow.
`;

/** Parsed once: type → field → text. */
const table = parse(fieldDescriptions);

/** What the outermost fields of every kind are. */
const outermost: Readonly<Record<string, string>> = {
  'metadata meta.v1.ObjectMeta': 'Name, namespace, labels and the like.',
  spec: 'What is wanted.',
  status: 'What was last seen; written by the cluster.',
};

/** Undefined where we have nothing to say. @param of the field's own type, for the outermost ones. */
export function descriptionOf(type: string, field: string, of = ''): string | undefined {
  const own = table.get(type)?.get(field);
  if (own) return own;
  const isOutermost = of === `${type}${field[0]?.toUpperCase()}${field.slice(1)}`;
  return outermost[`${field} ${of}`] ?? (isOutermost ? outermost[field] : undefined);
}

/** All `type field` pairs, for the test that compares them with the type table. */
export const describedFields = (): [string, string][] =>
  [...table].flatMap(([type, fields]) => [...fields.keys()].map((field): [string, string] => [type, field]));

function parse(text: string): Map<string, Map<string, string>> {
  const types = new Map<string, Map<string, string>>();
  let fields = new Map<string, string>();
  for (const line of text.split('\n').filter(Boolean)) {
    if (!line.startsWith('  ')) {
      fields = new Map();
      types.set(line, fields);
      continue;
    }
    const [field = '', ...words] = line.trim().split(' ');
    fields.set(field, words.join(' '));
  }
  return types;
}
