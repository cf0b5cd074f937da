#include "gpus.h"

#include <dirent.h>
#include <stdlib.h>

#define GPUS_MAX 256u
#define DEVICE_PREFIX "nvidia"

static bool skip(struct rv_str *word, const char *prefix)
{
	size_t n = strlen(prefix);

	if (word->bytes <= n || memcmp(word->at, prefix, n) != 0)
		return false;
	*word = rv_str(word->at + n, word->bytes - n);
	return true;
}

/* A number, GPU-UUID, MIG-UUID, or MIG-GPU-UUID/1/0 of older drivers: what CUDA takes for a device. */
static bool names_device(struct rv_str word)
{
	bool mig = skip(&word, "MIG-"), by_uuid = skip(&word, "GPU-") || mig;
	size_t i;

	if (by_uuid) {
		for (i = 0; i < word.bytes; i++)
			if (!word.at[i] || !strchr("0123456789abcdefABCDEF-/", word.at[i]))
				return false;
		return true;
	}
	for (i = 0; i < word.bytes; i++)
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
	return word.bytes > 0 && word.bytes <= 4;
}

uint32_t rv_gpus_of_mask(const char *mask, struct rv_buf *out)
{
	uint32_t count = 0;

	while (*mask && count < GPUS_MAX) {
		size_t skip = strspn(mask, " "), n = strcspn(mask + skip, ", ");
		struct rv_str word = rv_str(mask + skip, n);

		if (!names_device(word))
			break;
		if (count++)
			(void)rv_buf_putc(out, ',');
		(void)rv_buf_put_str(out, word);
		mask += skip + n;
		mask += strspn(mask, " ");
		if (*mask != ',')
			break;
		mask++;
	}
	return count;
}

/* The number of "nvidia7"; -1: another file (nvidiactl, nvidia-uvm). */
static int device_number(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, DEVICE_PREFIX, strlen(DEVICE_PREFIX)) != 0)
		return -1;
	name += strlen(DEVICE_PREFIX);
	if (*name < '0' || *name > '9')
		return -1;
	n = strtol(name, &end, 10);
	return *end || n >= (long)GPUS_MAX ? -1 : (int)n;
}

/* CUDA counts the devices it finds from 0, whatever gaps the driver's numbers have. */
uint32_t rv_gpus_find(const char *dev, const char *mask, struct rv_buf *out)
{
	DIR *d = opendir(dev);
	uint32_t count = 0, i;
	struct dirent *e;

	if (!d)
		return 0;
	while ((e = readdir(d)))
		count += device_number(e->d_name) >= 0;
	(void)closedir(d);
	if (count == 0)
		return 0;
	if (mask)
		return rv_gpus_of_mask(mask, out);
	for (i = 0; i < count && i < GPUS_MAX; i++)
		(void)rv_buf_printf(out, i ? ",%u" : "%u", i);
	return i;
}
