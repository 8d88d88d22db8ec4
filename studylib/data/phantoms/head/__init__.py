"""The head that brain phantoms are drawn from: anatomy, its three planes, how scanners show it, and lesions."""
