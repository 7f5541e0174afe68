// Whether arithmetic flushes denormal numbers, which are slow, to 0: decided here, whatever a host has set.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace rtnmf {

enum class Denormals { FLUSHED, KEPT };

// Sets how this thread treats denormal numbers while it lives, where the processor can flush them.
class Arithmetic {
  public:
    explicit Arithmetic(Denormals treated) noexcept : before(control()) {
        set_control(treated == Denormals::FLUSHED ? before | FLUSHING : before & ~FLUSHING);
    }
    ~Arithmetic() { set_control(before); }
    Arithmetic(const Arithmetic&) = delete;
    Arithmetic& operator=(const Arithmetic&) = delete;

  private:
    // The empty assembly keeps the compiler from moving what is computed with arrays to the other side.
#if defined(__SSE2__)
    using Control = unsigned;
    static constexpr Control FLUSHING = 0x8040;
    static Control control() noexcept { return _mm_getcsr(); }
    static void set_control(Control value) noexcept {
        __asm__ __volatile__("" ::: "memory");
        _mm_setcsr(value);
        __asm__ __volatile__("" ::: "memory");
    }
#elif defined(__aarch64__)
    using Control = std::uint64_t;
    static constexpr Control FLUSHING = Control(1) << 24;
    static Control control() noexcept {
        Control value;
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(value));
        return value;
    }
    static void set_control(Control value) noexcept { __asm__ __volatile__("msr fpcr, %0" : : "r"(value) : "memory"); }
#else
    using Control = unsigned;
    static constexpr Control FLUSHING = 0;
    static Control control() noexcept { return 0; }
    static void set_control(Control) noexcept {}
#endif

    Control before;
};

}  // namespace rtnmf
