import { chmod, cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { run } from '../command.ts'

/** Lays out one image's files; empty at first, as `FROM scratch`. */
export class Rootfs {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  static async create(root: string): Promise<Rootfs> {
    await mkdir(root)
    return new Rootfs(root)
  }

  /** Debian's merged /usr, so that host paths keep their meaning inside, and the few files that programs look for. */
  async base(): Promise<void> {
    for (const directory of ['bin', 'sbin', 'lib', 'lib64']) {
      await this.directory(`/usr/${directory}`)
      await this.link(`/${directory}`, `usr/${directory}`)
    }
    await this.text(
      '/etc/passwd',
      'root:x:0:0:root:/root:/bin/sh\nistio-proxy:x:1337:1337::/home/istio-proxy:/bin/sh\nnonroot:x:65532:65532::/home/nonroot:/bin/sh\n',
    )
    await this.text('/etc/group', 'root:x:0:\nistio-proxy:x:1337:\nnonroot:x:65532:\n')
    await this.text('/etc/nsswitch.conf', 'hosts: files dns\n')
    await this.copy('/etc/ssl/certs/ca-certificates.crt')
    await this.directory('/tmp', 0o1777)
    await this.directory('/root')
  }

  async directory(path: string, mode = 0o755): Promise<void> {
    await mkdir(join(this.root, path), { recursive: true })
    await chmod(join(this.root, path), mode)
  }

  async text(path: string, content: string): Promise<void> {
    await this.directory(dirname(path))
    await writeFile(join(this.root, path), content)
  }

  async link(path: string, target: string): Promise<void> {
    await symlink(target, join(this.root, path))
  }

  async copy(from: string, to = from): Promise<void> {
    await mkdir(dirname(join(this.root, to)), { recursive: true })
    await cp(from, join(this.root, to), { recursive: true, dereference: true })
  }

  /** A dynamically linked program of the host with the libraries it names. */
  async program(from: string, to = from): Promise<void> {
    await this.copy(from, to)
    const libraries = (await run(['ldd', from])).match(/\/\S+(?= \()/g) ?? []
    for (const library of libraries) await this.copy(library)
  }

  async busybox(): Promise<void> {
    await this.copy('/bin/busybox', '/usr/bin/busybox')
    for (const applet of (await run(['/bin/busybox', '--list'])).split('\n')) {
      if (applet !== 'busybox') await this.link(`/usr/bin/${applet}`, 'busybox')
    }
  }

  /** Both backends under Debian's names: istio-iptables picks the one that the kernel and the node use. */
  async iptables(): Promise<void> {
    await this.copy('/usr/lib/x86_64-linux-gnu/xtables')
    for (const backend of ['nft', 'legacy']) {
      await this.program(`/usr/sbin/xtables-${backend}-multi`)
      for (const family of ['iptables', 'ip6tables']) {
        for (const verb of ['', '-save', '-restore']) {
          await this.link(`/usr/sbin/${family}-${backend}${verb}`, `xtables-${backend}-multi`)
          if (backend === 'nft') await this.link(`/usr/sbin/${family}${verb}`, `xtables-${backend}-multi`)
        }
      }
    }
  }
}
