#include "scheduler.h"
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <vector>

#if !defined(__x86_64__)
#error "the fiber switch below is written for x86-64"
#endif

#if defined(VAE_THREAD_SANITIZER)
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* tag);
void __tsan_release(void* tag);
}
#define RELEASE(tag) __tsan_release(tag)
#define ACQUIRE(tag) __tsan_acquire(tag)
#else
#define RELEASE(tag) (void)(tag)
#define ACQUIRE(tag) (void)(tag)
#endif

// Saves the callee-saved registers on the old stack and restores them from the new one.
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch,@function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp,(%rdi)
    movq %rsi,%rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
.size emulator_switch,.-emulator_switch
)");

namespace emulator {

thread_local Thread* current;

namespace {

constexpr size_t StackBytes = 64 << 10;
constexpr unsigned Poison = 0x7fc0dead;  // a NaN

enum class State { Ready, AtBarrier, InWarpOperation, Done };

// A place in the source.
struct Place {
    const char* file = nullptr;
    int line = 0;
    bool operator!=(Place other) const { return line != other.line || strcmp(file, other.file) != 0; }
    std::string words() const
    {
        const char* name = strrchr(file, '/');
        return std::string(name ? name + 1 : file) + ":" + std::to_string(line);
    }
};

struct Fiber : Thread {
    void* stackPointer;
    char* stack;
    State state;
    Place place;
    void* sanitizerFiber;
    std::vector<Copy> copies;              // of the group that is not closed yet
    std::deque<std::vector<Copy>> groups;
};

struct Warp {
    int first, end;  // its fibers
    unsigned live, arrived;
    Place place;
    unsigned slot[2][32][8];
};

// Everything one OS thread needs to run a block.
struct Worker {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    std::vector<int> ready;
    int threads = 0, live = 0, arrived = 0;  // arrived at the barrier in place
    unsigned barriers = 0;
    Place place;
    char* shared = nullptr;
    size_t sharedBytes = 0;
    void* schedulerStack = nullptr;
    void* schedulerFiber = nullptr;
    int running = 0;
    Order order = Order::Forward;
    unsigned random = 1;
    char startTag, endTag, barrierTag[2];
    Kernel* kernel = nullptr;
    void** arguments = nullptr;
    std::string error;

    void fail(const std::string& what)
    {
        if (error.empty())
            error = what;
    }

    unsigned draw()
    {
        random = random * 1664525u + 1013904223u;
        return random >> 8;
    }

    void leave()
    {
#if defined(VAE_THREAD_SANITIZER)
        __tsan_switch_to_fiber(schedulerFiber, 1);
#endif
        emulator_switch(&fibers[running].stackPointer, schedulerStack);
    }

    void make_ready(int i)
    {
        fibers[i].state = State::Ready;
        ready.push_back(i);
    }

    // Number `i` of `count` in the order in which they are to be made ready: taken from the back.
    int in_order(int i, int count) const { return order == Order::Reverse ? i : count - 1 - i; }
};

thread_local Worker* worker;
Kernel* kernels;
Site* allSites;
std::mutex siteLock;
Order chosenOrder;
int chosenThreads;
unsigned chosenSeed;
std::string failure;
std::vector<Worker*> idle;
std::mutex idleLock;

// A fiber may go on on another OS thread in the next launch: the address of a thread-local may not stay in a register across a switch.
__attribute__((noinline)) Worker* my_worker()
{
    asm volatile("" ::: "memory");
    return worker;
}

Fiber& running_fiber()
{
    Worker* const w = my_worker();
    return w->fibers[w->running];
}

void fiber_main()
{
    for (;;) {
        Worker* w = my_worker();
        Fiber& fiber = w->fibers[w->running];
        ACQUIRE(&w->startTag);
        w->kernel->call(w->kernel->function, w->arguments);
        fiber.state = State::Done;
        w->live--;
        w->warps[fiber.warp].live &= ~(1u << fiber.lane);
        RELEASE(&w->endTag);
        if (w->arrived)
            w->fail("thread " + std::to_string(fiber.index.x) + " returned while others wait at __syncthreads, " + w->place.words());
        w->leave();
    }
}

void prepare_fiber(Fiber& fiber)
{
    fiber.stack = (char*)mmap(nullptr, StackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    fiber.state = State::Done;
    fiber.exchanges = 0;
    fiber.sanitizerFiber = nullptr;
    // What emulator_switch pops: six registers, then the address to return to; 8 bytes off a multiple of 16, as after a call.
    void** top = (void**)(fiber.stack + StackBytes - 72);
    top[0] = nullptr;
    top[-1] = (void*)fiber_main;
    for (int i = 2; i <= 7; i++)
        top[-i] = nullptr;
    fiber.stackPointer = top - 7;
}

void set_up_shared(Worker* w, size_t bytes)
{
    if (w->sharedBytes != bytes) {
        free(w->shared);
        w->sharedBytes = bytes;
        w->shared = bytes ? (char*)aligned_alloc(128, (bytes + 127) & ~(size_t)127) : nullptr;
    }
    for (size_t i = 0; i < bytes / 4; i++)
        ((unsigned*)w->shared)[i] = Poison;
}

void set_up_block(Worker* w, long at, dim3 grid, int threads, size_t sharedBytes)
{
    const int warps = (threads + 31) / 32;
    w->threads = w->live = threads;
    w->arrived = 0;
    w->ready.clear();
    while ((int)w->fibers.size() < threads) {
        w->fibers.emplace_back();
        prepare_fiber(w->fibers.back());
    }
    w->warps.resize(std::max(w->warps.size(), (size_t)warps));
    set_up_shared(w, sharedBytes);
    for (int i = 0; i < threads; i++) {
        Fiber& fiber = w->fibers[i];
        fiber.index = {(unsigned)i, 0, 0};
        fiber.block = {(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y), (unsigned)(at / ((long)grid.x * grid.y))};
        fiber.gridSize = grid;
        fiber.lane = i & 31;
        fiber.warp = i >> 5;
        fiber.state = State::Ready;
        fiber.copies.clear();
        fiber.groups.clear();
    }
    for (int i = 0; i < warps; i++) {
        const int lanes = threads - i * 32;
        Warp& warp = w->warps[i];
        warp.first = i * 32;
        warp.end = threads;
        warp.arrived = 0;
        warp.live = lanes >= 32 ? ~0u : (1u << lanes) - 1;
    }
    for (int i = 0; i < threads; i++)
        w->ready.push_back(w->in_order(i, threads));
}

void run_block(Worker* w, long at, dim3 grid, int threads, size_t sharedBytes)
{
    set_up_block(w, at, grid, threads, sharedBytes);
    RELEASE(&w->startTag);
    while (!w->ready.empty()) {
        const size_t chosen = w->order == Order::Random ? w->draw() % w->ready.size() : w->ready.size() - 1;
        const int i = w->ready[chosen];
        w->ready[chosen] = w->ready.back();
        w->ready.pop_back();
        w->running = i;
        current = &w->fibers[i];
#if defined(VAE_THREAD_SANITIZER)
        if (!w->fibers[i].sanitizerFiber)
            w->fibers[i].sanitizerFiber = __tsan_create_fiber(0);
        __tsan_switch_to_fiber(w->fibers[i].sanitizerFiber, 1);
#endif
        emulator_switch(&w->schedulerStack, w->fibers[i].stackPointer);
    }
    ACQUIRE(&w->endTag);
    if (!w->live)
        return;
    for (int i = 0; i < threads; i++)
        if (const Fiber& fiber = w->fibers[i]; fiber.state != State::Done) {
            w->fail("deadlock: " + std::to_string(w->live) + " threads were never released; thread " + std::to_string(i) + " waits at "
                + fiber.place.words());
            break;
        }
    // Unfinished fibers must never be resumed by the next launch.
    for (Fiber& fiber : w->fibers)
        munmap(fiber.stack, StackBytes);
    w->fibers.clear();
}

void list(Site& site)
{
    __atomic_store_n(&site.visited, true, __ATOMIC_RELAXED);
    if (__atomic_load_n(&site.listed, __ATOMIC_ACQUIRE))
        return;
    std::lock_guard<std::mutex> hold(siteLock);
    if (site.listed)
        return;
    site.next = allSites;
    allSites = &site;
    __atomic_store_n(&site.listed, true, __ATOMIC_RELEASE);
}
}  // namespace

// The first to come says which barrier it is, the others must come to the same; the last lets those go on that wait.
void sync_block(Site& site)
{
    list(site);
    if (site.removed)
        return;
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    fiber.place = {site.file, site.line};
    if (w->arrived == 0) {
        w->place = fiber.place;
        if (w->live < w->threads)
            w->fail("__syncthreads after some threads returned, " + fiber.place.words());
    } else if (w->place != fiber.place) {
        w->fail("divergent __syncthreads: " + w->place.words() + " and " + fiber.place.words());
    }
    char* const tag = &w->barrierTag[w->barriers & 1];
    RELEASE(tag);
    fiber.state = State::AtBarrier;
    if (++w->arrived == w->live) {
        w->arrived = 0;
        w->barriers++;
        for (int k = 0; k < w->threads; k++)
            if (const int i = w->in_order(k, w->threads); w->fibers[i].state == State::AtBarrier)
                w->make_ready(i);
    }
    w->leave();
    ACQUIRE(tag);
}

const unsigned (*exchange(const unsigned* words, int n, const char* file, int line))[8]
{
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    Warp& warp = w->warps[fiber.warp];
    const int parity = fiber.exchanges++ & 1;
    fiber.place = {file, line};
    if (!warp.arrived)
        warp.place = fiber.place;
    else if (warp.place != fiber.place)
        w->fail("divergent warp operations: " + warp.place.words() + " and " + fiber.place.words());
    if (~warp.live)
        w->fail("a warp operation without lanes that have returned or never were, " + fiber.place.words());
    for (int i = 0; i < n; i++)
        warp.slot[parity][fiber.lane][i] = words[i];
    warp.arrived |= 1u << fiber.lane;
    fiber.state = State::InWarpOperation;
    if (warp.arrived == warp.live) {
        warp.arrived = 0;
        for (int k = 0; k < 32; k++)
            if (const int i = warp.first + w->in_order(k, 32); i < warp.end && w->fibers[i].state == State::InWarpOperation)
                w->make_ready(i);
    }
    w->leave();
    return warp.slot[parity];
}

void* dynamic_shared() { return my_worker()->shared; }

void check_aligned(const void* p, int bytes)
{
    if ((uintptr_t)p % bytes)
        my_worker()->fail("an access of " + std::to_string(bytes) + " bytes at an address that is no multiple of that");
}

void copy_push(Copy copy)
{
    check_aligned(copy.to, 4 * copy.floats);
    if (copy.valid)
        check_aligned(copy.from, 4 * copy.floats);
    running_fiber().copies.push_back(copy);
}

void copy_commit()
{
    Fiber& fiber = running_fiber();
    fiber.groups.push_back(std::exchange(fiber.copies, {}));
}

// The copies happen here and not before: a kernel that forgets to wait reads poison.
void copy_wait(int pendingGroups)
{
    auto& groups = running_fiber().groups;
    for (; (int)groups.size() > pendingGroups; groups.pop_front())
        for (const Copy& copy : groups.front())
            for (int k = 0; k < copy.floats; k++)
                copy.to[k] = copy.valid ? copy.from[k] : 0.0f;
}

void add_kernel(Kernel* kernel)
{
    kernel->next = kernels;
    kernels = kernel;
}

Kernel* find(const char* name)
{
    for (Kernel* k = kernels; k; k = k->next)
        if (!strcmp(k->name, name))
            return k;
    return nullptr;
}

void configure(Order order, int threads, unsigned seed)
{
    chosenOrder = order;
    chosenThreads = threads;
    chosenSeed = seed;
}

const std::string& last_error() { return failure; }

Site* sites() { return allSites; }

bool launch(Kernel* kernel, dim3 grid, unsigned threads, size_t dynamicShared, void** arguments)
{
    const long blocks = (long)grid.x * grid.y * grid.z;
    failure.clear();
    std::atomic<long> next{0};
    std::atomic<bool> failed{false};
    std::mutex errorLock;
    const auto work = [&] {
        Worker* w = nullptr;
        {
            std::lock_guard<std::mutex> hold(idleLock);
            if (!idle.empty()) {
                w = idle.back();
                idle.pop_back();
            }
        }
        if (!w)
            w = new Worker;
        worker = w;
#if defined(VAE_THREAD_SANITIZER)
        w->schedulerFiber = __tsan_get_current_fiber();
#endif
        w->kernel = kernel;
        w->arguments = arguments;
        w->order = chosenOrder;
        w->random = 12345u + chosenSeed * 7919u;
        w->error.clear();
        for (long taken; !failed && (taken = next++) < blocks;) {
            run_block(w, chosenOrder == Order::Reverse ? blocks - 1 - taken : taken, grid, threads, dynamicShared);
            if (!w->error.empty()) {
                std::lock_guard<std::mutex> hold(errorLock);
                failure = std::string(kernel->name) + ": " + w->error;
                failed = true;
            }
        }
        std::lock_guard<std::mutex> hold(idleLock);
        idle.push_back(w);
    };
    long workers = chosenThreads > 0 ? chosenThreads : (long)std::thread::hardware_concurrency();
    if (workers > blocks)
        workers = blocks;
    if (workers <= 1) {
        work();
    } else {
        std::vector<std::thread> team;
        for (long i = 1; i < workers; i++)
            team.emplace_back(work);
        work();
        for (auto& member : team)
            member.join();
    }
    return !failed;
}
}  // namespace emulator
