/** What makes a C file a module of Node, and what threads need to work together. */
import { BARRIER } from "../coordination.js";

/**
 * The functions of Node-API that are used, declared by hand: their binary interface is stable, and Node resolves them from its own
 * program. The module is a function (memory, places, steps, thread, mode), see `run`; each thread that loads it has its own.
 */
export const moduleText = (): string => `
typedef __SIZE_TYPE__ size;
extern int napi_get_cb_info(void *, void *, size *, void **, void **, void **);
extern int napi_get_typedarray_info(void *, void *, int *, size *, void **, void **, size *);
extern int napi_get_value_int32(void *, void *, int *);
extern int napi_create_int32(void *, int, void **);
extern int napi_create_function(void *, const char *, size, void *(*)(void *, void *), void *, void **);
static void *entry(void *env, void *info) {
  void *argv[5] = {0}, *at[2] = {0}, *buffer, *result = 0;
  size argc = 5, length, offset;
  int type, numbers[3] = {0}, failed = napi_get_cb_info(env, info, &argc, argv, 0, 0) || argc != 5;
  for (int i = 0; i < 2 && !failed; i++)
    failed = napi_get_typedarray_info(env, argv[i], &type, &length, &at[i], &buffer, &offset) || !at[i];
  for (int i = 0; i < 3 && !failed; i++) failed = napi_get_value_int32(env, argv[2 + i], &numbers[i]);
  napi_create_int32(env, failed ? 2 : run(at[0], at[1], numbers[0], numbers[1], numbers[2]), &result);
  return result;
}
#define EXPORT __attribute__((visibility("default")))
EXPORT void *napi_register_module_v1(void *env, void *exports) {
  void *function = 0;
  napi_create_function(env, "run", 3, entry, 0, &function);
  return function ? function : exports;
}
EXPORT int node_api_module_get_api_version_v1(void) { return 8; }
`;

interface Threads {
  readonly threads: number;
  /** Chunks of each kernel that a thread has, 0 for a kernel that is not in chunks. */
  readonly counts: readonly number[];
  /** Bytes between the counters of a thread and those of the next. */
  readonly stride: number;
}

/**
 * The barrier and the work stealing of the WebAssembly target, over the same words of memory. Who waits polls for some tens of
 * microseconds, then sleeps until the last one wakes it (Linux: futex), or has slept for some milliseconds: a worker that fails, which
 * JavaScript tells of, need not know how to wake anybody. Polling on while other programs want the core would make every meeting
 * as long as their turns.
 */
export const threadsText = ({ threads, counts, stride }: Threads): string => `
#ifdef __linux__
extern long syscall(long, ...);
#if defined(__x86_64__)
#define FUTEX 202
#elif defined(__aarch64__)
#define FUTEX 98
#endif
#endif
#ifdef FUTEX
static void rest(int *word, int now) {
  struct { long seconds, nanoseconds; } most = {0, 5000000};
  syscall(FUTEX, word, 128, now, &most, 0, 0);
}
static void wake(int *word) { syscall(FUTEX, word, 129, 0x7fffffff, 0, 0, 0); }
#else
extern int usleep(unsigned);
static void rest(int *word, int now) { usleep(50); }
static void wake(int *word) {}
#endif
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE __asm__ volatile("yield")
#else
#define PAUSE
#endif
static int meet(char *M) {
  int *arrived = (int *)(M + ${BARRIER.arrived}), *generation = (int *)(M + ${BARRIER.generation});
  int *aborted = (int *)(M + ${BARRIER.aborted}), *asleep = (int *)(M + ${BARRIER.asleep});
  int now = __atomic_load_n(generation, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(aborted, __ATOMIC_SEQ_CST)) return 1;
  if (__atomic_fetch_add(arrived, 1, __ATOMIC_SEQ_CST) == ${threads - 1}) {
    __atomic_store_n(arrived, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(generation, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(asleep, __ATOMIC_SEQ_CST)) wake(generation);
    return 0;
  }
  for (int polls = 0; __atomic_load_n(generation, __ATOMIC_SEQ_CST) == now; polls++) {
    if (polls < 1000) { PAUSE; continue; }
    __atomic_fetch_add(asleep, 1, __ATOMIC_SEQ_CST);
    rest(generation, now);
    __atomic_fetch_add(asleep, -1, __ATOMIC_SEQ_CST);
  }
  return __atomic_load_n(aborted, __ATOMIC_SEQ_CST);
}
static const int counts[] = {${counts.join(", ")}};
static void refill(char *counters, int thread, int only) {
  int *own = (int *)(counters + (__SIZE_TYPE__)thread * ${stride});
  for (int k = 0; k < ${counts.length}; k++)
    if (counts[k] && (only < 0 || only == k)) __atomic_store_n(own + k, counts[k], __ATOMIC_SEQ_CST);
}
/* The number of a chunk that nobody else has taken, or -1. */
static int steal(char *counters, int thief, int kernel, int count) {
  int owner = thief;
  do {
    int *left = (int *)(counters + (__SIZE_TYPE__)owner * ${stride}) + kernel;
    if (__atomic_load_n(left, __ATOMIC_SEQ_CST) > 0) {
      int taken = __atomic_fetch_add(left, -1, __ATOMIC_SEQ_CST);
      if (taken > 0) return (owner + 1) * count - taken;
    }
    if (++owner == ${threads}) owner = 0;
  } while (owner != thief);
  return -1;
}`;
