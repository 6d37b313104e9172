/* What the server tells: made from its OpenAPI document by `make labextension`, and not by hand. */

/** What this server is. */
export interface About {
  /** Of jobq-magic. */
  version: string;
  /** Of these addresses: it grows when one of them changes its meaning. */
  api: number;
  /** The folder of runs that it shows. */
  store: string;
  host: string;
  /** Who it runs as. */
  user: string;
  /** Whether it may not write into that folder: nothing can be stopped or run again from here. */
  reads_only: boolean;
  /** Why a run of a kernel is not shown here, where `run` was asked for and it is in another store. */
  elsewhere: Trouble | null;
}

/** What a capture took along and what it left. */
export interface Account {
  travellers: Traveller[];
  requirements: Requirement[];
  stayed: Stayed[];
  notes: string[];
  digest: string;
  seconds: number;
}

/** Where a run stands after something was asked of it; what follows is told as a change. */
export interface Acted {
  row: Row;
}

/** Why the attempt before this one ended. */
export interface Before {
  reason: string;
  facts: Record<string, unknown>;
}

/** What can be done with a run as it is. */
export interface Can {
  stop: boolean;
  pause: boolean;
  resume: boolean;
  rerun: boolean;
  delete: boolean;
}

/** A run as its panel draws it. */
export interface CardTold {
  run: string;
  /** Whether it will look so for ever. */
  final: boolean;
  /** As a notebook keeps it: `text/html`, `text/plain`. */
  bundle: Record<string, string>;
}

/** Where a run was started. */
export interface Cell {
  /** Of its notebook. */
  path: string;
  cell_id: string | null;
  /** Null where that is not known. */
  cell_index: number | null;
}

/** What has changed since a version. */
export interface Changed {
  /** `hello`: there was no version to compare with. `relist`: that one is too old, or of another server; ask for the list anew. A socket says `run` besides, with `run` as of one run that is watched; and `trouble`, with the `error`, where the store cannot be read. */
  kind: "hello" | "changed" | "relist";
  /** Of the store now; what to compare with the next time. */
  version: string;
  /** Runs that are new, or others than they were. */
  rows: Row[];
  /** Ids of runs that were removed. */
  gone: string[];
  /** As in a page of runs. */
  counts: Record<string, number>;
}

/** How many workers there are. */
export interface Crew {
  up: number;
  wanted: number;
}

/** What was removed. */
export interface Deleted {
  gone: string[];
  /** Bytes; what is shared with another run is not freed before both are gone. */
  freed: number;
}

/** Whether cells will run where a profile sends them. */
export interface Diagnosis {
  profile: string;
  where: string;
  /** All was looked at: else ask again soon. */
  done: boolean;
  /** Whether they will; null while that is not known yet. */
  ok: boolean | null;
  /** Codes of what could not be looked at, and must be for a cell to run. */
  unanswered: string[];
  /** In the order in which they were made. */
  findings: Finding[];
  began: number;
  ended: number | null;
}

/** One picture: what a notebook would show of a display and its updates. */
export interface Display {
  /** In the list of pictures, counted from 0: it stands there instead of what stood there. */
  place: number;
  /** A MIME bundle; text but under JSON's types. */
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  display_id: string | null;
  /** The worker that displayed it, where a run has several; else "". */
  source: string;
}

/** The pictures that changed since a version. */
export interface Displays {
  /** To be given as `after` next time. */
  version: string;
  /** How many there are now; those behind are gone. */
  total: number;
  displays: Display[];
  /** How many were too many or too large to be kept. */
  dropped: number;
  /** There is more already: ask again at once. */
  behind: boolean;
  /** The run has ended, and nothing more will come. */
  complete: boolean;
}

/** How far a run is. */
export interface Done {
  done: number;
  total: number | null;
  label: string;
}

/** One thing that was looked at, how it is, and what to do about it. */
export interface Finding {
  code: string;
  level: "ok" | "warning" | "problem" | "unknown";
  what: string;
  advice: string;
}

/** A line in which something was found. */
export interface Hit {
  /** Its number in the whole log. */
  n: number;
  /** Its place among the lines that were asked for. */
  at: number;
  /** Where, from and to, in UTF-16 units, in its text without escapes; at most 100. */
  spans: number[][];
}

/** The image of a run. */
export interface Image {
  reference: string;
  digest: string;
  key: string;
  base: string;
  layers: Layer[];
  sent: number;
  seconds: number;
  notes: string[];
  ray: string;
}

/** The image that a job is started from, as a record tells of it; `image.Image` is the whole. */
export interface ImageTold {
  reference: string;
  /** From the base up. */
  layers: LayerTold[];
  /** Bytes that travelled. */
  sent: number;
  seconds: number;
}

/** One layer of an image, from the base up. */
export interface Layer {
  kind: string;
  name: string;
  digest: string;
  size: number;
  /** `reused` or `pushed`. */
  state: string;
}

/** One layer of an image, as a record tells of it. */
export interface LayerTold {
  kind: string;
  name: string;
  /** Bytes that travel where it has to. */
  size: number;
  /** `reused`, or `pushed`. */
  state: string;
}

/** One line of a log. */
export interface Line {
  /** Its number in the whole log, counted from 1. */
  n: number;
  /** When it was there, in seconds since the epoch, as the job's samples tell it; null where none does. */
  at: number | null;
  /** Rank of the worker that wrote it, or `driver`, where a run has several; else "". */
  source: string;
  /** `stdout`, `stderr`, or `attempt` for the line before what a further attempt wrote. */
  stream: string;
  text: string;
}

/** An address worth opening: `rel` says which (`ray-dashboard`, ...). */
export interface Link {
  rel: string;
  title: string;
  href: string;
}

/** One page of runs. */
export interface Listing {
  rows: Row[];
  /** What to give as `after` for the next page; null where this is the last. */
  next: string | null;
  /** Of all runs in the store: by phase, and `live` and `ended`. */
  counts: Record<string, number>;
  /** Runs that were asked for, on all pages. */
  total: number;
  /** Runs that are in none of these figures yet: of a store that is new to this machine, the newest are read first. */
  unread: number;
  /** Of the store: what `changes/poll` is asked with. */
  version: string;
}

/** What was found in a log. */
export interface LogHits {
  generation: string;
  /** In how many lines it is found; null where these are not all counted yet: asking again goes on with it. */
  total: number | null;
  /** How many of them lie before the first of the hits, by their places; null where that is not known, or none is. */
  before: number | null;
  /** Among how many lines they were counted. */
  looked: number;
  /** In the order in which they were looked for. */
  hits: Hit[];
  /** The place from which to go on; null: there is nothing more in this direction. */
  next: number | null;
}

/** Lines of a log; places are counted from 1 among those that are asked for. */
export interface LogPage {
  /** Another one than before: the log was written or read anew, and what was known of it counts no more. */
  generation: string;
  /** The place of the first of the lines. */
  first: number;
  /** How many there are. */
  total: number;
  /** How many of these never change; those behind them have no end yet. */
  firm: number;
  /** Whether all that is on the disk was counted; where not, `total` is larger when it is asked for again. */
  complete: boolean;
  /** Whether nothing will ever come. */
  ended: boolean;
  /** At most as many as were asked for, and fewer where they are long. */
  lines: Line[];
}

/** What there is of a log. */
export interface LogTold {
  /** Null where nobody has counted them yet. */
  lines: number | null;
  bytes: number;
  /** Whose lines it has, where it has those of several workers. */
  sources: string[];
}

/** One object that a cluster was sent, without secrets. */
export interface Manifest {
  kind: string;
  name: string;
  yaml: string;
}

/** What a cluster was sent of a run. */
export interface Manifests {
  manifests: Manifest[];
  /** Why there are none; "" where there are. */
  why: string;
}

/** One worker, or the driver of a run that has one. */
export interface Member {
  /** `driver`, or the number that its lines have in the log; "" where a run has one process. */
  name: string;
  /** As its place counts; None where that tells of no workers. */
  rank: number | null;
  /** A word of `Phase`; "" where it is not there, or nobody tells. */
  phase: string;
  /** The same in words for people. */
  state: string;
  pod: string;
  node: string;
  /** What is wrong with it, without a full stop; "" where nothing is. */
  sentence: string;
  /** Cores in use. */
  cpu: number | null;
  /** Cores that there are for it, where that is told. */
  cpus: number | null;
  /** Bytes in use. */
  memory: number | null;
  /** Bytes that there are for it, where that is told. */
  memory_most: number | null;
  /** The most bytes that it held so far. */
  peak: number | null;
  /** GPUs in use. */
  gpu: number | null;
  gpus: number | null;
  /** `cpu` of the last samples, a second each, the newest last. */
  cpu_history: number[];
  /** `memory` of the same. */
  memory_history: number[];
  /** Tasks of Ray that run on it. */
  tasks: number | null;
}

/** One machine of the cluster, which is a pod. */
export interface NodeTold {
  /** Of the pod. */
  name: string;
  head: boolean;
  alive: boolean;
  /** Cores in use. */
  cpu: number;
  cpus: number;
  /** Bytes in use. */
  memory: number;
  memory_most: number;
  /** Bytes of objects that it holds. */
  store: number;
  /** GPUs in use; None where it has none. */
  gpu: number | null;
  gpus: number;
  /** Tasks. */
  running: number;
  /** Tasks; None where there are too many to know. */
  finished: number | null;
  failed: number | null;
}

/** One option that was given, or that a setting gave. */
export interface OptionTold {
  /** As it is written: `--workers`. */
  name: string;
  /** "" where it has none, or one that nobody should read. */
  value: string;
}

/** A cell to run, as a bundle that was made elsewhere. */
export interface Parts {
  /** What is asked of the job; the table of options in the documentation says more. */
  spec: {
    /** where the cell runs: local (a fresh process on this machine); ray (Ray where the profile says, or on the cluster that it tells of; else on this machine, kept warm); docker (the generated image on the Docker Engine of this machine); kueue (a Kubernetes cluster with Kueue); rayjob (a Ray cluster of its own on a Kubernetes cluster with KubeRay) */
    mode?: string | number | null;
    /** settings of a place, under a name: [tool.jobq.profiles.NAME] */
    profile?: string | number | null;
    /** a Ray that is there: its dashboard's address, `raycluster/NAME` of the namespace, or `here`, on this machine; it means --mode ray where no --mode is given */
    address?: string | number | null;
    /** local queue of Kueue */
    queue?: string | number | null;
    /** workload priority class */
    priority?: string | number | null;
    /** context of the kubeconfig, instead of the current one */
    context?: string | number | null;
    /** namespace on the cluster, instead of that of the context */
    namespace?: string | number | null;
    /** places for parallel tasks, each with the CPUs, GPUs and memory named here */
    workers?: string | number | null;
    /** CPUs of each worker: 4, 0.5, 500m */
    cpus?: string | number | null;
    /** GPUs of each worker: 1, a100:2 */
    gpus?: string | number | null;
    /** memory of each worker: 8Gi, 500Mi */
    memory?: string | number | null;
    /** size of /dev/shm: 2Gi */
    shm?: string | number | null;
    /** CPUs of the process of the cell */
    driver_cpus?: string | number | null;
    /** memory of the process of the cell */
    driver_memory?: string | number | null;
    /** environment variable of the job; without a value, the one that it has here */
    env?: string | string[] | null | Record<string, string | null>;
    /** environment variable that is kept out of records, logs and images */
    secret?: string | string[] | null | Record<string, string | null>;
    /** folder or claim to mount: data:/data, data:/data:ro */
    volume?: string | string[] | null;
    /** package that the job needs besides those that the cell is seen to import */
    requirement?: string | string[] | null;
    /** do not pin packages to the versions here */
    no_lock?: boolean | null;
    /** system package */
    apt?: string | string[] | null;
    /** image to build upon; host: this machine's own Python */
    base?: string | number | null;
    /** image to run in, as it is */
    image?: string | number | null;
    /** what the image is: a YAML file or a Dockerfile */
    image_file?: string | number | null;
    /** what the image is made for: linux/amd64, linux/arm64 */
    platform?: string | number | null;
    /** what makes the image: append, engine; else the first that can */
    builder?: string | number | null;
    /** where generated images go: HOST/NAME; http://HOST/NAME where the registry has no TLS */
    push?: string | number | null;
    /** the same as the place sees it, where it has another address there */
    pull?: string | number | null;
    /** make the image, and do not run the cell */
    build_only?: boolean | null;
    /** names to bring back, instead of all that the cell binds or changes */
    out?: string | string[] | null;
    /** bring back no names */
    no_out?: boolean | null;
    /** where large results go, and what must outlive the job: s3://BUCKET/FOLDER, pvc://CLAIM */
    store?: string | number | null;
    /** name of the run */
    name?: string | number | null;
    /** label of the run */
    label?: string | string[] | null | Record<string, string | null>;
    /** the longest that the cell may run: 90s, 5m, 2h, 1d; a number alone is seconds */
    timeout?: string | number | null;
    /** the longest that it may wait, in the queue and for its pods, before it is given up: 30m, 2h */
    max_wait?: string | number | null;
    /** how often the cell is tried again when it fails */
    retries?: string | number | null;
    /** end the run instead of queueing it again when the cluster takes its place away */
    no_requeue?: boolean | null;
    /** refuse where the notebook's state is not what running it from the top would give */
    require_clean?: boolean | null;
  };
  /** A tar that is not compressed, with `manifest.json`, `code/`, `values/`, `modules/` and `files/`. */
  bundle: string;
  /** The content digest of the bundle: checked where it is given. */
  digest?: string;
}

/** Where a run stands. A phase never says more than was observed. */
export type Phase = "capturing" | "building" | "submitting" | "queued" | "starting" | "running" | "collecting" | "stopping" | "paused" | "succeeded" | "failed" | "cancelled" | "lost";

/** When a phase began. */
export interface PhaseAt {
  phase: Phase;
  at: number;
}

/** Where a run stands in its queue. */
export interface Place {
  /** 1 is next; null where that is not known. */
  at: number | null;
  of: number | null;
  queue: string;
}

/** Where a run stands in its queue. What is None is not known; `unknown` says why, in one sentence. */
export interface PlaceTold {
  queue: string;
  cluster_queue: string;
  /** 1 is next. */
  position: number | null;
  /** How many wait in the queue, this one included. */
  waiting: number | null;
  /** Of those before it, what is readable: `ada/train: 4 cpus`. */
  ahead: string[];
  /** Seconds until it may begin, guessed; every face marks it as a guess. */
  estimate: number | null;
  quota: QuotaTold[];
  unknown: string;
}

/** How far a named piece of work is. `total` is None where it is not known. */
export interface Progress {
  label: string;
  done: number;
  total: number | null;
  /** `bytes`, or "": things that are counted. */
  unit: string;
}

/** One queue of one profile. */
export interface Queue {
  /** "": what holds where no profile is named. */
  profile: string;
  where: string;
  queue: string;
  cluster_queue: string;
  resources: Share[];
  /** How many wait, those of other namespaces included. */
  waiting: number | null;
  /** It takes work, as far as is known. */
  open: boolean;
  /** Why something is not known, or old, in one sentence. */
  unknown: string;
  /** It is being asked, and nothing is known yet: ask again soon. */
  pending: boolean;
  /** When it was asked, as seconds since the epoch. */
  at: number | null;
}

/** What the queues of all profiles have. */
export interface Queues {
  queues: Queue[];
  /** Some are pending. */
  pending: boolean;
}

/** One resource of the quota that a run waits for; counts are in the resource's own unit: cores, bytes, pieces. */
export interface QuotaTold {
  /** `cpu`, `memory`, `nvidia.com/gpu`, ... */
  resource: string;
  flavor: string;
  /** The run's own total over all its workers. */
  asked: number;
  free: number | null;
  /** What there can ever be for one run of this queue, borrowing included. */
  most: number | null;
  /** The queue's own. */
  total: number | null;
}

/** How a run's own Ray cluster stood, the last time that it was asked. */
export interface RayTold {
  /** When that was, as seconds since the epoch. */
  at: number;
  nodes: NodeTold[];
  tasks: TasksTold[];
  /** How many by their states: `alive`, `dead`, ... */
  actors: Record<string, number>;
  /** Whether all tasks were counted; else there are more than Ray lists, and the driver's own were counted. */
  whole: boolean;
  line: Timeline | null;
  /** When, cores in use, bytes in use, tasks that ran. */
  history: ([number, number, number, number])[];
  /** When tasks were counted, as `at`; None where that is not told. */
  counted: number | null;
}

/** A package that the job needs. */
export interface Requirement {
  name: string;
  version: string;
  source: string;
  origin: string;
  why: string;
}

/** What a run left, as the runner told and rendered it: a job's words, to be shown as text or in a sandbox. */
export interface Result {
  run: string;
  phase: string;
  sentence: string;
  advice: string;
  /** The last value as a MIME bundle; null where there is none. */
  value: Record<string, unknown> | null;
  /** Of the value, by MIME type. */
  metadata: Record<string, unknown>;
  /** What the cell bound, with sizes in bytes. */
  names: Record<string, number>;
  /** What was shipped and changed in place, with sizes in bytes. */
  changed: Record<string, number>;
  skipped: Skipped[];
  /** The traceback, with a terminal's colours; "" where there is none. */
  error: string;
  /** How many pictures there are. */
  displays: number;
}

/** One run, as a list shows it. */
export interface Row {
  id: string;
  name: string;
  mode: string;
  /** Where it runs, in words. */
  where: string;
  phase: Phase;
  /** How it stands, in one sentence. */
  sentence: string;
  created: number;
  /** Since when its code runs, put off by what it was paused; null where it did not start. */
  began: number | null;
  ended: number | null;
  /** How long its code ran; null while that goes on. */
  seconds: number | null;
  progress: Done | null;
  position: Place | null;
  /** Null where there is one worker only, or nothing is known of them. */
  workers: Crew | null;
  attempt: number;
  notebook: string | null;
  cell_id: string | null;
  labels: Record<string, string>;
  /** The first line of its exception, where that is why it failed. */
  error: string;
  /** Whether it has, or had, a dashboard. */
  dashboard: boolean;
}

/** All that is known of one run. */
export interface Run {
  row: Row;
  snapshot: SnapshotTold;
  words: WordsTold;
  /** Its workers, one by one. */
  crew: Member[];
  timeline: Stretch[];
  notes: string[];
  links: Link[];
  log: LogTold;
  notebook: Cell | null;
  can: Can;
  /** What was asked for, where that is not the usual. */
  options: OptionTold[];
  /** The cell; null where it was not captured. */
  source: string | null;
}

/** What a queue has of one resource in one flavor, in cores, bytes or pieces; null where that is not known. */
export interface Share {
  resource: string;
  flavor: string;
  /** By everybody. */
  used: number | null;
  /** Of that, by the runs in this store. */
  mine: number | null;
  /** Its own quota. */
  total: number | null;
  /** What one run can have when nobody else has anything: with what others lend. */
  most: number | null;
  /** What there is now without taking anything back from others. */
  free: number | null;
}

/** A name that could not come back. */
export interface Skipped {
  name: string;
  reason: string;
  advice: string;
}

/** One picture of a run, as `jobq status --json` tells it. */
export interface SnapshotTold {
  run: string;
  name: string;
  mode: string;
  where: string;
  workers: number | null;
  phase: Phase;
  final: boolean;
  attempt: number;
  before: Before | null;
  reason: string;
  facts: Record<string, unknown>;
  sentence: string;
  advice: string;
  created: number;
  ended: number | null;
  seconds: number | null;
  result: "" | "ready" | "lost";
  times: PhaseAt[];
  progress: Progress[];
  links: Link[];
  place: PlaceTold | null;
  each: WorkerTold[];
  ray: RayTold | null;
  image: ImageTold | null;
  notes: string[];
}

/** The cell of a run, and where it stood. */
export interface Source {
  /** As it travelled: plain Python; null where it is not kept. */
  text: string | null;
  /** Why it is not; "" where it is. */
  why: string;
  label: string;
  notebook: string | null;
  cell_id: string | null;
}

/** One task on the line of time. */
export interface Span {
  name: number;
  node: number;
  /** Seconds since the line begins. */
  begin: number;
  end: number | null;
  failed: boolean;
}

/** Something that did not travel. */
export interface Stayed {
  name: string;
  why: string;
}

/** One phase of one attempt, on the line of time. */
export interface Stretch {
  phase: Phase;
  /** When it began. */
  at: number;
  /** When the next one did; null while it goes on. */
  until: number | null;
  attempt: number;
}

/** A cell to run, as text. */
export interface Submission {
  /** What is asked of the job; the table of options in the documentation says more. */
  spec: {
    /** where the cell runs: local (a fresh process on this machine); ray (Ray where the profile says, or on the cluster that it tells of; else on this machine, kept warm); docker (the generated image on the Docker Engine of this machine); kueue (a Kubernetes cluster with Kueue); rayjob (a Ray cluster of its own on a Kubernetes cluster with KubeRay) */
    mode?: string | number | null;
    /** settings of a place, under a name: [tool.jobq.profiles.NAME] */
    profile?: string | number | null;
    /** a Ray that is there: its dashboard's address, `raycluster/NAME` of the namespace, or `here`, on this machine; it means --mode ray where no --mode is given */
    address?: string | number | null;
    /** local queue of Kueue */
    queue?: string | number | null;
    /** workload priority class */
    priority?: string | number | null;
    /** context of the kubeconfig, instead of the current one */
    context?: string | number | null;
    /** namespace on the cluster, instead of that of the context */
    namespace?: string | number | null;
    /** places for parallel tasks, each with the CPUs, GPUs and memory named here */
    workers?: string | number | null;
    /** CPUs of each worker: 4, 0.5, 500m */
    cpus?: string | number | null;
    /** GPUs of each worker: 1, a100:2 */
    gpus?: string | number | null;
    /** memory of each worker: 8Gi, 500Mi */
    memory?: string | number | null;
    /** size of /dev/shm: 2Gi */
    shm?: string | number | null;
    /** CPUs of the process of the cell */
    driver_cpus?: string | number | null;
    /** memory of the process of the cell */
    driver_memory?: string | number | null;
    /** environment variable of the job; without a value, the one that it has here */
    env?: string | string[] | null | Record<string, string | null>;
    /** environment variable that is kept out of records, logs and images */
    secret?: string | string[] | null | Record<string, string | null>;
    /** folder or claim to mount: data:/data, data:/data:ro */
    volume?: string | string[] | null;
    /** package that the job needs besides those that the cell is seen to import */
    requirement?: string | string[] | null;
    /** do not pin packages to the versions here */
    no_lock?: boolean | null;
    /** system package */
    apt?: string | string[] | null;
    /** image to build upon; host: this machine's own Python */
    base?: string | number | null;
    /** image to run in, as it is */
    image?: string | number | null;
    /** what the image is: a YAML file or a Dockerfile */
    image_file?: string | number | null;
    /** what the image is made for: linux/amd64, linux/arm64 */
    platform?: string | number | null;
    /** what makes the image: append, engine; else the first that can */
    builder?: string | number | null;
    /** where generated images go: HOST/NAME; http://HOST/NAME where the registry has no TLS */
    push?: string | number | null;
    /** the same as the place sees it, where it has another address there */
    pull?: string | number | null;
    /** make the image, and do not run the cell */
    build_only?: boolean | null;
    /** names to bring back, instead of all that the cell binds or changes */
    out?: string | string[] | null;
    /** bring back no names */
    no_out?: boolean | null;
    /** where large results go, and what must outlive the job: s3://BUCKET/FOLDER, pvc://CLAIM */
    store?: string | number | null;
    /** name of the run */
    name?: string | number | null;
    /** label of the run */
    label?: string | string[] | null | Record<string, string | null>;
    /** the longest that the cell may run: 90s, 5m, 2h, 1d; a number alone is seconds */
    timeout?: string | number | null;
    /** the longest that it may wait, in the queue and for its pods, before it is given up: 30m, 2h */
    max_wait?: string | number | null;
    /** how often the cell is tried again when it fails */
    retries?: string | number | null;
    /** end the run instead of queueing it again when the cluster takes its place away */
    no_requeue?: boolean | null;
    /** refuse where the notebook's state is not what running it from the top would give */
    require_clean?: boolean | null;
  };
  /** Plain Python. What it reads must be in it, or be installed: there is no notebook around it. */
  code: string;
}

/** A run on its way. */
export interface Submitted {
  /** Its id. */
  run: string;
  name: string;
  where: string;
  /** What its user should know, a sentence each. */
  notes: string[];
  /** The same key had submitted it before. */
  again: boolean;
}

/** The tasks of one name. */
export interface TasksTold {
  /** "": several names. */
  name: string;
  running: number;
  pending: number;
  finished: number;
  failed: number;
  names: number;
}

/** Which task ran when, and where. */
export interface Timeline {
  names: string[];
  /** Pods. */
  nodes: string[];
  spans: Span[];
  /** How many tasks there were, of which `spans` are some. */
  total: number;
  /** When it begins, as seconds since the epoch. */
  since: number;
  /** When Ray was asked for it, as `since`; None where that is not told. */
  until: number | null;
}

/** What travelled with a run and what did not. */
export interface Travelled {
  /** How much, in words. */
  shipped: string;
  account: Account;
}

/** One thing that travelled. */
export interface Traveller {
  name: string;
  kind: string;
  why: string;
  size: number | null;
  origin: string;
  digest: string;
}

/** Why a request was refused. */
export interface Trouble {
  /** In kebab-case, stable: one for each kind of mistake. */
  code: string;
  /** What happened, in one sentence that names the culprit. */
  what: string;
  why: string;
  /** The way out; "" where there is none. */
  do: string;
}

/** How a run stands, and what can be done about it. */
export interface WordsTold {
  sentence: string;
  advice: string;
}

/** One worker of a run: where it is, and how it goes. */
export interface WorkerTold {
  rank: number;
  /** A word of `Phase`, or "" where it is not there. */
  phase: string;
  /** Its pod. */
  name: string;
  node: string;
  /** Code of the reason; `words` has its sentence. */
  reason: string;
  facts: Record<string, unknown>;
}
