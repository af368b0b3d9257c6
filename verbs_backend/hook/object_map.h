/* hook/object_map.h - what a hook remembers about an object, found by the object's address.
 * Layer:   inside hook/. Intrusive chained hash; the caller locks and owns the nodes.
 * Rule:    remove before the inner destroy, add after the inner create: the address may be reused at once. */
#ifndef HOOK_OBJECT_MAP_H
#define HOOK_OBJECT_MAP_H

#include <stddef.h>
#include <stdint.h>

#define OBJECT_MAP_BUCKETS 256

struct object_node {
    struct object_node *next;
    const void *object;
};

struct object_map {
    struct object_node *buckets[OBJECT_MAP_BUCKETS];
};

static inline struct object_node **object_map_slot(struct object_map *map, const void *object)
{
    uintptr_t bits = (uintptr_t)object >> 4;
    struct object_node **at = &map->buckets[(bits ^ (bits >> 8)) % OBJECT_MAP_BUCKETS];
    while (*at && (*at)->object != object)
        at = &(*at)->next;
    return at;
}

static inline struct object_node *object_map_find(struct object_map *map, const void *object)
{
    return *object_map_slot(map, object);
}

/* The object must not be in the map. */
static inline void object_map_add(struct object_map *map, struct object_node *node, const void *object)
{
    struct object_node **at = object_map_slot(map, object);
    node->object = object;
    node->next = NULL;
    *at = node;
}

/* The node, or NULL when the object was not there. */
static inline struct object_node *object_map_remove(struct object_map *map, const void *object)
{
    struct object_node **at = object_map_slot(map, object);
    struct object_node *node = *at;
    if (node)
        *at = node->next;
    return node;
}

/* Any node, removed; NULL when the map is empty. */
static inline struct object_node *object_map_pop(struct object_map *map)
{
    for (size_t i = 0; i < OBJECT_MAP_BUCKETS; i++)
        if (map->buckets[i])
            return object_map_remove(map, map->buckets[i]->object);
    return NULL;
}

#endif
