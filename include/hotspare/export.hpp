#pragma once

/// Marks what the shared library shows; everything else is hidden.
#if defined(HOTSPARE_STATIC)
#define HOTSPARE_API
#else
#define HOTSPARE_API __attribute__((visibility("default")))
#endif
