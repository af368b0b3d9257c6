/* wsdprov.c - the product's only translation unit: a module needs one. Everything is in the static library
 * wsd_provider. */
#include "wsd/provider.h"

/* Keeps the compiler from seeing an empty unit. */
extern const char wsd_provider_version[];
const char wsd_provider_version[] = "OpenWSD provider 0.1.0";
