/* Preloaded: counts what allocates or frees while a plugin processes a block. */
#include <stddef.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static _Thread_local int is_counting, n_counted;

static void count(void) { n_counted += is_counting; }

void *malloc(size_t size) { count(); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { count(); return __libc_calloc(n, size); }
void *realloc(void *held, size_t size) { count(); return __libc_realloc(held, size); }
void *aligned_alloc(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
int posix_memalign(void **found, size_t alignment, size_t size) { count(); *found = __libc_memalign(alignment, size); return !*found * 12; }
void free(void *held) { if (held) count(); __libc_free(held); }

int counted(int (*process)(const void *, const void *), const void *plugin, const void *block) {
    n_counted = 0;
    is_counting = 1;
    const int status = process(plugin, block);
    is_counting = 0;
    return status == 1 ? n_counted : -1;
}
