/* list.h - an intrusive doubly linked ring; the head is a node of its own */
#ifndef RV_LIST_H
#define RV_LIST_H

#include "base.h"

struct rv_list {
	struct rv_list *next, *prev;
};

static inline void rv_list_init(struct rv_list *l)
{
	l->next = l->prev = l;
}

static inline bool rv_list_empty(const struct rv_list *l)
{
	return l->next == l;
}

static inline void rv_list_append(struct rv_list *head, struct rv_list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* Takes it out and leaves it a ring of its own: removing twice does nothing. */
static inline void rv_list_remove(struct rv_list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	rv_list_init(item);
}

#endif
